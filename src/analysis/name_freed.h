/* SPDX-License-Identifier: MIT */
/*
 * What comes back when all memory of a name goes: of names alone, or of groups of names in a tree.
 */
#ifndef MEMOIR_ANALYSIS_NAME_FREED_H
#define MEMOIR_ANALYSIS_NAME_FREED_H

#include "snapshot/model.h"

struct name_freed {
	const uint32_t *of_region; /* the node of each region; MEMOIR_NONE: it is not meant */
	const uint32_t
		*parent; /* of each node, before it; MEMOIR_NONE: none. NULL: nobody has one */
	size_t count;    /* nodes */
	uint64_t *freed_bytes; /* of each node and all below it */
	bool *known;
};

/*
 * Fill in freed_bytes and known, for which there is room. Freed is anonymous memory that only regions of the
 * node map, and what dies with its last holder if that is one of these regions and no fd.
 * O(regions + sets + objects + holders, times the depth). 0, -ENOMEM.
 */
int name_freed(const struct memoir_snapshot *snapshot, const struct name_freed *nodes);

#endif
