/* SPDX-License-Identifier: MIT */
/*
 * /proc/meminfo, line by line.
 */
#ifndef MEMOIR_KERNEL_MEMINFO_H
#define MEMOIR_KERNEL_MEMINFO_H

#include <stdint.h>

#include "kernel/root.h"

/*
 * Call each() for every line: kB turned into bytes, the plain counts (HugePages_…) as they are.
 * 0; -EBADMSG at the first line that is none of meminfo's; what reading it gives (-ENOENT …).
 */
int meminfo_read(const struct kroot *root, void (*each)(const char *key, uint64_t value, void *arg),
		 void *arg);

/* Have all CPUs add what they hold back to the counters (root; else nothing is done). */
void meminfo_settle(const struct kroot *root);

#endif
