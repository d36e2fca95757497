/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/fdinfo/FD as lines of a key and a value. What is in them is written by drivers, and some of
 * it (names of buffers) by strangers: it is split and bounded here, and believed nowhere.
 */
#ifndef MEMOIR_KERNEL_FDINFO_H
#define MEMOIR_KERNEL_FDINFO_H

#include <stddef.h>
#include <sys/types.h>

#include "kernel/root.h"

/* No more of a file is read: a ring with more than about 2,000 buffers is cut there. */
#define FDINFO_BYTES_MAX (64u * 1024)

/* A line "key:value" without blanks around either; a line without a colon is a key with value "". */
typedef void fdinfo_line_fn(const char *key, const char *value, void *arg);

/* Split a text (NUL-terminated at `len`, changed by it) and hand out its lines. */
void fdinfo_parse(char *text, size_t len, fdinfo_line_fn *each, void *arg);

/* Read one: PTRACE_MODE_READ. 0, -ENOENT or -ESRCH: it is gone; -EACCES … */
int fdinfo_each(const struct kroot *root, pid_t pid, pid_t tid, int fd, fdinfo_line_fn *each,
		void *arg);

#endif
