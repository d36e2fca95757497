/* SPDX-License-Identifier: MIT */
/*
 * Compressed block devices in RAM: /sys/block/zram* and which of them are swap.
 */
#ifndef MEMOIR_KERNEL_ZRAM_H
#define MEMOIR_KERNEL_ZRAM_H

#include <stdint.h>

#include "kernel/root.h"

struct zram {
	uint64_t store_bytes; /* RAM that all devices take, swap or not */
	/* Of those that are swap: what was stored, the RAM it takes, and how much it may take. */
	uint64_t orig_bytes;
	uint64_t used_bytes;
	uint64_t limit_bytes;
	bool limited; /* each device that is swap has a limit; without, limit_bytes means nothing */
};

/* Linux 4.4 (mm_stat). All 0 where there is no such device. 0; -ENOENT: no /sys/block; -EBADMSG. */
int zram_read(const struct kroot *root, struct zram *ret_zram);

#endif
