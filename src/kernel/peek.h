/* SPDX-License-Identifier: MIT */
/*
 * Bytes of another process's memory, and only those that are in RAM: looking must not bring back what
 * was swapped out, nor map what was not. Needs PTRACE_MODE_ATTACH. What is read is hostile.
 */
#ifndef MEMOIR_KERNEL_PEEK_H
#define MEMOIR_KERNEL_PEEK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

struct peek {
	int pagemap, memory;
};

/* 0, or -EACCES, -EPERM, -ESRCH …; -EOPNOTSUPP on a captured tree. */
int peek_open(const struct kroot *root, pid_t pid, pid_t tid, struct peek *ret_peek);
void peek_close(struct peek *peek);

/*
 * All of these bytes. About 1 µs, and more for what spans many pages. 0; -ENODATA: part of it is not in
 * RAM; -EFAULT: not mapped; -EPERM; -ESRCH: the process has ended, or called exec since peek_open().
 */
int peek_read(const struct peek *peek, uint64_t addr, void *buf, size_t bytes);

#endif
