/* SPDX-License-Identifier: MIT */
/*
 * The names in a directory of /proc or /sys.
 */
#ifndef MEMOIR_KERNEL_ENTRIES_H
#define MEMOIR_KERNEL_ENTRIES_H

#include "kernel/root.h"

/*
 * Call each() for every name, but "." and "..", until it returns an error. 0, that error, or what
 * opening the directory gives (-ENOENT …).
 */
int entries_each(const struct kroot *root, const char *directory,
		 int (*each)(const struct kroot *root, const char *name, void *arg), void *arg);

#endif
