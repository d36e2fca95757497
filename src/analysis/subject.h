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
	size_t room, row_room;
};

/*
 * Take a region into its row. `rows` are subjects->count rows of `row_bytes`, which begin with a struct memoir_subject;
 * NULL at first. Returns them, moved or not, and in *ret_row the index; a new row has a subject of one region, the rest
 * of it is zero. NULL: no memory; the rows are as they were. Regions of one process have to come together.
 */
void *subjects_take(struct subjects *subjects, void *rows, size_t row_bytes,
		    const struct memoir_region *region, size_t *ret_row);

void subjects_free(struct subjects *subjects);

/* For sorting: by name, process and kind, so that the order is always the same. */
int subjects_compare(const struct memoir_subject *a, const struct memoir_subject *b);

#endif
