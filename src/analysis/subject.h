/* SPDX-License-Identifier: MIT */
/*
 * Puts regions into the rows that they belong to.
 */
#ifndef MEMOIR_ANALYSIS_SUBJECT_H
#define MEMOIR_ANALYSIS_SUBJECT_H

#include <memoir/subject.h>

#include "analysis/label.h"

/* All but `by` and snapshot zero at first. */
struct subjects {
	const struct memoir_snapshot *snapshot;
	enum memoir_by by;
	struct labels labels; /* by name: a row each */
	size_t count;
	uint32_t *last; /* per row: the process of its last region */
	size_t room;
};

/*
 * The index of a region's row, which is the number of rows so far if it is a new one; SIZE_MAX: no memory.
 * Regions of one process have to come together.
 */
size_t subjects_row(struct subjects *subjects, const struct memoir_region *region);

/* Take the region into the subject of its row, all zero if new. */
void subjects_take(struct subjects *subjects, size_t row, const struct memoir_region *region,
		   struct memoir_subject *subject);

void subjects_free(struct subjects *subjects);

/* For sorting: by name, process and kind, so that the order is always the same. */
int subjects_compare(const struct memoir_subject *a, const struct memoir_subject *b);

#endif
