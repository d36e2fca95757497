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
 * summing up the row once.
 */
struct group {
	struct memoir_shared bytes;
	uint32_t
		first_end; /* of its ranges, in groups->ends: where one begins, where it has ended */
	uint32_t end_count;
};

struct groups {
	const struct memoir_snapshot *s;
	const uint8_t *wanted; /* by process */
	uint32_t *rank;        /* by process */
	uint32_t *by_rank;     /* the processes */
	struct group *all;
	size_t count, room;
	uint32_t *ends;
	size_t end_count, end_room;
	/* For each process that is wanted, the groups it is in: from first[process] to first[process + 1]. */
	uint32_t *of_process;
	uint32_t *first;
};

/*
 * Groups of the sets that a wanted process is a member of. O(processes + members of these sets).
 * 0; -ENOMEM. Free with groups_free() in any case.
 */
int groups_make(const struct memoir_snapshot *snapshot, const uint8_t *wanted,
		struct groups *ret_groups);
void groups_free(struct groups *groups);

/*
 * What a wanted process has in common with each process, by rank; with itself: what it has in sets.
 * `row` is room for one more than there are processes.
 */
void groups_row(const struct groups *groups, uint32_t process, struct memoir_shared *row);

#endif
