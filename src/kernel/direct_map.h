/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel's direct map of all memory lies, found from addresses of its objects. What is found
 * is to be proved before it is used, on a page of one's own.
 */
#ifndef MEMOIR_KERNEL_DIRECT_MAP_H
#define MEMOIR_KERNEL_DIRECT_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/kpage.h"

#define WITNESSES 64

/* Addresses of slab objects: tasks, address spaces and the like. Four are needed, more are better. */
struct witnesses {
	uint64_t addr[WITNESSES];
	size_t count;
};

/* Append one; 0 and what is too much is passed over. */
void witnesses_add(struct witnesses *w, uint64_t addr);

/* The kernel address of physical address 0, or 0: not found. Some preads for each GiB of memory. */
uint64_t direct_map_find(const struct kpage *kpage, uint64_t max_phys, const struct witnesses *w);

/* How many levels page tables have where the direct map lies there: 4 or 5. */
unsigned int direct_map_levels(uint64_t direct_map);

/* A page of our own, the only one of its file, whose frame is known from pagemap. */
struct own_page {
	uint64_t addr, frame;
	int memfd;
};

/* 0 or negative errno; to be ended in either case. -EPERM: frames are hidden. */
int own_page_make(const struct kroot *root, struct own_page *page);
void own_page_end(struct own_page *page);

#endif
