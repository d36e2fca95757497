/* SPDX-License-Identifier: MIT */
/*
 * Going over the tree of sharing sets.
 */
#ifndef MEMOIR_ANALYSIS_SETS_H
#define MEMOIR_ANALYSIS_SETS_H

#include "snapshot/model.h"

/* What the way from a set to its root needs, close together: that way goes all over memory. */
struct set_link {
	uint32_t parent;
	uint32_t process; /* of the member that the parent lacks */
};

/* A link for each set. To be freed by free(); NULL: no memory. O(sets + regions). */
struct set_link *sets_links(const struct memoir_snapshot *snapshot);

/*
 * Visit every set, parents before their children. `process` is that of its own member; `first`: none of
 * the others is of the same. O(sets + processes). 0; -ENOMEM.
 */
int sets_walk(const struct memoir_snapshot *snapshot,
	      void (*visit)(uint32_t set, uint32_t process, bool first, void *arg), void *arg);

/* smaps tells how often pages are mapped, and not by whom. */
static inline bool sharing_is_known(const struct memoir_snapshot *snapshot)
{
	return snapshot->sets_known && snapshot->engine != MEMOIR_ENGINE_SMAPS;
}

/* The process of the member that a set has and its parent lacks. */
static inline uint32_t set_process(const struct memoir_snapshot *snapshot, uint32_t set)
{
	return snapshot_regions(snapshot)[snapshot->sets[set].region].process;
}

/* A loaded snapshot may hold any numbers: a sum that does not fit stays at the largest there is. */
static inline void add_bytes(uint64_t *sum, uint64_t bytes)
{
	if (__builtin_add_overflow(*sum, bytes, sum))
		*sum = UINT64_MAX;
}

/* Make of each set's own bytes those of all sets from it downwards: of all that have its region. */
static inline void sets_add_up(const struct memoir_snapshot *snapshot, uint64_t *bytes)
{
	for (size_t i = snapshot->set_count; i-- > 0;)
		if (snapshot->sets[i].parent != MEMOIR_NONE)
			add_bytes(&bytes[snapshot->sets[i].parent], bytes[i]);
}

/*
 * For each region its pages that no set has: those of its object that it alone maps. To be freed by
 * free(); NULL: no memory. 0 where the region's figures are not known. O(regions + sets).
 */
uint64_t *sets_rest_of_regions(const struct memoir_snapshot *snapshot);

#endif
