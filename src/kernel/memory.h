/* SPDX-License-Identifier: MIT */
/*
 * Memory of other processes, read through /proc/PID/mem: needs PTRACE_MODE_ATTACH. process_vm_readv(2)
 * would do as well, but it pins pages, and pages that a fork family shares are copied for that.
 */
#ifndef MEMOIR_KERNEL_MEMORY_H
#define MEMOIR_KERNEL_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

/* An fd for the address space that the process has now, also after it calls exec. Or -EACCES, -ESRCH … */
int memory_open(const struct kroot *root, pid_t pid);

/* Read all of [addr, addr + bytes). 0; -EFAULT: not all of it is mapped; -ESRCH: it is gone. */
int memory_read(int fd, uint64_t addr, void *buffer, size_t bytes);

/* Read a text up to its NUL. 0; -EINVAL: it and its NUL don't fit into `size`; or as memory_read(). */
int memory_read_text(int fd, uint64_t addr, char *text, size_t size);

#endif
