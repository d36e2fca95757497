// SPDX-License-Identifier: MIT
/*
 * Idle memory as rows, by region, name or process; asks the kernel nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/select.h"
#include "analysis/subject.h"
#include "hints/idle.h"

struct gather {
	const struct memoir_idle *idle;
	struct subjects subjects;
	struct memoir_idle_rows rows;
};

static void add(struct memoir_idle_figures *sum, const struct memoir_idle_figures *addend)
{
	sum->rss_bytes += addend->rss_bytes;
	sum->idle_bytes += addend->idle_bytes;
	sum->touched_bytes += addend->touched_bytes;
	sum->unknown_bytes += addend->unknown_bytes;
}

static int take_region(struct gather *g, pid_t pid, const struct memoir_region *region)
{
	struct memoir_idle_figures figures;
	int err = memoir_idle_of(g->idle, pid, region->start, region->end, &figures);
	bool rss_known = region->figures.known & (1u << MEMOIR_RSS);
	size_t at;

	if (err == -ESRCH || (!err && !figures.rss_bytes) ||
	    (err && rss_known && !region->figures.bytes[MEMOIR_RSS]))
		return 0;
	struct memoir_idle_row *rows =
		subjects_take(&g->subjects, g->rows.rows, sizeof(*rows), region, &at);

	if (!rows)
		return -ENOMEM;
	g->rows.rows = rows;
	g->rows.count = g->subjects.count;
	struct memoir_idle_row *row = &rows[at];

	if (row->subject.regions == 1)
		row->known = true;
	if (err) {
		row->known = false;
		return 0;
	}
	add(&row->figures, &figures);
	add(&g->rows.total, &figures);
	return 0;
}

static int take_process(struct gather *g, const struct memoir_selection *selection,
			const struct memoir_process *process)
{
	const struct memoir_snapshot *snapshot = g->subjects.snapshot;
	int err = 0;

	if (!process->in_scope || !memoir_selection_matches_process(selection, process) ||
	    !memoir_idle_knows(g->idle, process))
		return 0;
	for (uint32_t i = 0; i < process->region_count && !err; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(snapshot, (size_t)process->first_region + i);

		if (region && region->kind != MEMOIR_KIND_HUGETLB &&
		    selection_matches_region_part(selection, snapshot, region))
			err = take_region(g, process->pid, region);
	}
	return err;
}

static int compare(const void *left, const void *right)
{
	const struct memoir_idle_row *a = left, *b = right;

	if (a->figures.idle_bytes != b->figures.idle_bytes)
		return a->figures.idle_bytes > b->figures.idle_bytes ? -1 : 1;
	return subjects_compare(&a->subject, &b->subject);
}

int memoir_idle_rows(const struct memoir_idle *idle, const struct memoir_snapshot *snapshot,
		     const struct memoir_selection *selection, enum memoir_by by,
		     struct memoir_idle_rows *ret_rows)
{
	struct gather g = { .idle = idle, .subjects = { .snapshot = snapshot, .by = by } };
	int err = 0;

	for (size_t i = 0; i < snapshot->process_count && !err; i++)
		err = take_process(&g, selection, &snapshot->processes[i]);
	subjects_free(&g.subjects);
	if (err) {
		memoir_idle_rows_free(&g.rows);
		return err;
	}
	if (g.rows.count)
		qsort(g.rows.rows, g.rows.count, sizeof(*g.rows.rows), compare);
	*ret_rows = g.rows;
	return 0;
}

void memoir_idle_rows_free(struct memoir_idle_rows *rows)
{
	if (!rows)
		return;
	free(rows->rows);
	*rows = (struct memoir_idle_rows){ 0 };
}
