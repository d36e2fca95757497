/* SPDX-License-Identifier: MIT */
/*
 * Who has memory, by object: files, shared memory and anonymous families.
 */
#ifndef MEMOIR_ANALYSIS_OBJECT_SUMS_H
#define MEMOIR_ANALYSIS_OBJECT_SUMS_H

#include <memoir/snapshot.h>

struct object_sum {
	const struct memoir_object *object;
	const struct memoir_process *process; /* the first that maps it */
	uint32_t processes;                   /* how many map it */
	uint32_t regions;
	uint64_t pss_bytes; /* of its own pages that are mapped; see pss_known */
	bool pss_known;
};

struct object_sums {
	size_t count;
	struct object_sum *rows; /* by descending pss; unknown ones last */
};

/*
 * The objects that regions of processes in scope map. A private mapping's copies count for the
 * family, the rest for the file; where families are not known (engine smaps), all of it for the
 * file. O(regions + sets). 0; -ENOMEM. Free with object_sums_free().
 */
int object_sums_make(const struct memoir_snapshot *snapshot, struct object_sums *ret_sums);
void object_sums_free(struct object_sums *sums);

/* What of each region's pss is of its object, not of a family. To be freed by free(); NULL: no memory. */
uint64_t *object_pss_of_regions(const struct memoir_snapshot *snapshot);

#endif
