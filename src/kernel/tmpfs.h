/* SPDX-License-Identifier: MIT */
/*
 * What the mounts of tmpfs in memoir's own mount namespace hold, also of files that nobody has open.
 */
#ifndef MEMOIR_KERNEL_TMPFS_H
#define MEMOIR_KERNEL_TMPFS_H

#include <stdint.h>

#include "kernel/root.h"

/*
 * Each such file system once, by statfs(2): used_bytes are in RAM or in swap. Those without a limit
 * (size=0), which tell nothing, are left out. 0, or negative errno: mounts can't be read.
 */
int tmpfs_each(const struct kroot *root, void (*each)(uint32_t dev, uint64_t used_bytes, void *arg),
	       void *arg);

#endif
