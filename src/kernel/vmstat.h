/* SPDX-License-Identifier: MIT */
/*
 * Counters of /proc/vmstat, of the whole machine since boot.
 */
#ifndef MEMOIR_KERNEL_VMSTAT_H
#define MEMOIR_KERNEL_VMSTAT_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/root.h"

/*
 * The values of `count` keys, in their order; UINT64_MAX for one that this kernel does not have. 0, or what
 * reading the file gives.
 */
int vmstat_read(const struct kroot *root, const char *const *keys, size_t count,
		uint64_t *ret_values);

#endif
