// SPDX-License-Identifier: MIT
/*
 * What came back as rows, by region, name or process; asks the kernel nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/subject.h"
#include "hints/refault.h"

struct gather {
	const struct memoir_refaults *refaults;
	struct subjects subjects;
	struct memoir_refault_rows rows;
};

static void set_faults(struct memoir_refault_row *row, const struct refault_faults *faults)
{
	row->faults_known = faults->known;
	row->major_faults = faults->now - faults->before;
}

static int take_region(struct gather *g, const struct refault_region *region)
{
	size_t at;
	struct memoir_refault_row *rows =
		subjects_take(&g->subjects, g->rows.rows, sizeof(*rows), region->region, &at);

	if (!rows)
		return -ENOMEM;
	g->rows.rows = rows;
	g->rows.count = g->subjects.count;
	refault_add(&rows[at].figures, &region->figures);
	refault_add(&g->rows.total, &region->figures);
	if (g->subjects.by == MEMOIR_BY_PROCESS)
		set_faults(&rows[at], &g->refaults->faults[region->space]);
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct memoir_refault_row *a = left, *b = right;

	if (a->figures.back_bytes != b->figures.back_bytes)
		return a->figures.back_bytes > b->figures.back_bytes ? -1 : 1;
	if (a->figures.swapped_bytes != b->figures.swapped_bytes)
		return a->figures.swapped_bytes > b->figures.swapped_bytes ? -1 : 1;
	return subjects_compare(&a->subject, &b->subject);
}

int memoir_refaults_rows(const struct memoir_refaults *refaults, enum memoir_by by,
			 struct memoir_refault_rows *ret_rows)
{
	struct gather g = {
		.refaults = refaults,
		.subjects = { .snapshot = refaults->snapshot, .by = by },
	};
	int err = 0;

	for (size_t i = 0; i < refaults->region_count && !err; i++)
		err = take_region(&g, &refaults->regions[i]);
	subjects_free(&g.subjects);
	if (err) {
		memoir_refault_rows_free(&g.rows);
		return err;
	}
	for (size_t i = 0; i < refaults->watch.count; i++)
		if (refaults->faults[i].known)
			g.rows.major_faults += refaults->faults[i].now - refaults->faults[i].before;
	if (g.rows.count)
		qsort(g.rows.rows, g.rows.count, sizeof(*g.rows.rows), compare);
	*ret_rows = g.rows;
	return 0;
}

void memoir_refault_rows_free(struct memoir_refault_rows *rows)
{
	if (!rows)
		return;
	free(rows->rows);
	*rows = (struct memoir_refault_rows){ 0 };
}
