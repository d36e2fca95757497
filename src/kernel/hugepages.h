/* SPDX-License-Identifier: MIT */
/*
 * The pools of hugetlb pages, summed over their sizes: /sys/kernel/mm/hugepages.
 */
#ifndef MEMOIR_KERNEL_HUGEPAGES_H
#define MEMOIR_KERNEL_HUGEPAGES_H

#include <stdint.h>

#include "kernel/root.h"

struct hugepages {
	uint64_t free_bytes;
	uint64_t
		reserved_bytes; /* of the free ones: promised to mappings that are not filled yet */
};

/* 0; -ENOENT: no hugetlb here; -EBADMSG. */
int hugepages_read(const struct kroot *root, struct hugepages *ret_pages);

#endif
