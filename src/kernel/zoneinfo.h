/* SPDX-License-Identifier: MIT */
/*
 * /proc/zoneinfo, summed over all zones.
 */
#ifndef MEMOIR_KERNEL_ZONEINFO_H
#define MEMOIR_KERNEL_ZONEINFO_H

#include <stdint.h>

#include "kernel/root.h"

struct zoneinfo {
	uint64_t managed_bytes;      /* what the allocator has been given so far */
	uint64_t per_cpu_free_bytes; /* free, but on the lists of the CPUs: not in MemFree */
};

/* 0; -ENOENT …; -EBADMSG: no zone in it. */
int zoneinfo_read(const struct kroot *root, struct zoneinfo *ret_info);

#endif
