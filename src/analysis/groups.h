/* SPDX-License-Identifier: MIT */
/*
 * The processes of each sharing set, in a form that makes "with whom, and how much" cheap.
 */
#ifndef MEMOIR_ANALYSIS_GROUPS_H
#define MEMOIR_ANALYSIS_GROUPS_H

#include <memoir/analysis.h>

#include "snapshot/model.h"

/*
 * Processes are ranked so that families stand together. Then most sets are of a few ranges of ranks: a
 * set is added to a row of all processes at the ends of its ranges, and what lies between comes from
 * summing up the row once. And from one process to the next few sets change: the row of one is made
 * from that of the one before by the sets that begin or end there.
 */
struct group {
	struct memoir_shared bytes;
	/* Of its ranges, in groups->ends: where one begins, where it has ended. */
	uint32_t first_end, end_count;
};

struct groups {
	const struct memoir_snapshot *s;
	uint32_t *by_rank; /* the processes: those that are wanted, then the others */
	uint32_t wanted_count;
	struct group *all;
	size_t count, room;
	uint32_t *ends;
	size_t end_count, end_room;
	/* Of each wanted rank, from first_change[rank] on: group * 2, + 1 where it has ended. */
	uint32_t *changes;
	uint32_t *first_change;
};

/*
 * Groups of the sets that a wanted process is a member of. O(processes + sets + members of the sets
 * that have pages). 0; -ENOMEM. Free with groups_free() in any case.
 */
int groups_make(const struct memoir_snapshot *snapshot, const uint8_t *wanted,
		struct groups *ret_groups);
void groups_free(struct groups *groups);

/*
 * Rows are made in order of rank, from 0 on. `edges` is all 0 before the first, and room for one more
 * than there are processes; afterwards the sums of its first elements, up to each rank, are what process
 * `rank` and that one have in common: with itself, what it has in sets.
 */
void groups_next_row(const struct groups *groups, uint32_t rank, struct memoir_shared *edges);

/* Bytes of three kinds, added; what is below zero meanwhile wraps around, and back. */
static inline void shared_add(struct memoir_shared *sum, const struct memoir_shared *bytes)
{
	sum->shared_bytes += bytes->shared_bytes;
	sum->shared_anon_bytes += bytes->shared_anon_bytes;
	sum->shared_swap_bytes += bytes->shared_swap_bytes;
}

#endif
