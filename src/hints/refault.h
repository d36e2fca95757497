/* SPDX-License-Identifier: MIT */
/*
 * The inside of struct memoir_refaults.
 */
#ifndef MEMOIR_HINTS_REFAULT_H
#define MEMOIR_HINTS_REFAULT_H

#include <memoir/refault.h>

#include "hints/watch.h"

/* A region of which something was swapped out. */
struct refault_region {
	const struct memoir_region *region;
	size_t space; /* index */
	struct memoir_refault_figures figures;
};

/* Per space: majflt at the beginning and at the last look. */
struct refault_faults {
	uint64_t before, now;
	bool known;
};

struct memoir_refaults {
	struct watch watch; /* `before` of a space: what is still out */
	const struct memoir_snapshot *snapshot;
	struct refault_region *regions; /* those of one process stand together, by address */
	size_t region_count, region_room;
	struct refault_faults *faults;
	uint64_t begun_ns, watched_ns;
	struct memoir_refault_machine machine_before, machine_now;
};

/* Add figures of a region to a sum. */
void refault_add(struct memoir_refault_figures *sum, const struct memoir_refault_figures *addend);

#endif
