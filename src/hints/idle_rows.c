// SPDX-License-Identifier: MIT
/*
 * Idle memory as rows, by region, name or process; asks the kernel nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/label.h"
#include "analysis/select.h"
#include "base/grow.h"
#include "hints/idle.h"

const char *memoir_idle_by_name(enum memoir_idle_by by)
{
	static const char *const names[MEMOIR_IDLE_BYS] = {
		[MEMOIR_IDLE_BY_REGION] = "region",
		[MEMOIR_IDLE_BY_NAME] = "name",
		[MEMOIR_IDLE_BY_PROCESS] = "process",
	};

	return (unsigned int)by < MEMOIR_IDLE_BYS ? names[by] : NULL;
}

struct gather {
	const struct memoir_idle *idle;
	const struct memoir_snapshot *snapshot;
	enum memoir_idle_by by;
	struct labels labels; /* by name: a row each */
	struct memoir_idle_rows rows;
	size_t room;
};

static void add(struct memoir_idle_figures *sum, const struct memoir_idle_figures *addend)
{
	sum->rss_bytes += addend->rss_bytes;
	sum->idle_bytes += addend->idle_bytes;
	sum->touched_bytes += addend->touched_bytes;
	sum->unknown_bytes += addend->unknown_bytes;
}

static struct memoir_idle_row *add_row(struct gather *g)
{
	struct memoir_idle_row *rows =
		grow(g->rows.rows, &g->room, g->rows.count + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	g->rows.rows = rows;
	rows[g->rows.count] = (struct memoir_idle_row){ .known = true };
	return &rows[g->rows.count++];
}

/* The row of a region: its own, that of its process, or that of its name. Regions of a process stand together. */
static struct memoir_idle_row *row_of(struct gather *g, const struct memoir_region *region,
				      const struct label *label)
{
	const struct memoir_process *process =
		memoir_snapshot_process(g->snapshot, region->process);
	struct memoir_idle_row *last = g->rows.count ? &g->rows.rows[g->rows.count - 1] : NULL;

	if (g->by == MEMOIR_IDLE_BY_PROCESS && last && last->process == process)
		return last;
	if (g->by == MEMOIR_IDLE_BY_NAME) {
		uint32_t at = labels_index(&g->labels, label);

		if (at == U64MAP_NONE)
			return NULL;
		return at < g->rows.count ? &g->rows.rows[at] : add_row(g);
	}
	return add_row(g);
}

static int take_region(struct gather *g, const struct memoir_region *region, uint32_t *last_process)
{
	const struct memoir_process *process =
		memoir_snapshot_process(g->snapshot, region->process);
	struct label label = label_of(g->snapshot, region);
	struct memoir_idle_figures figures;
	int err = memoir_idle_of(g->idle, process->pid, region->start, region->end, &figures);
	bool rss_known = region->figures.known & (1u << MEMOIR_RSS);

	if (err == -ESRCH || (!err && !figures.rss_bytes) ||
	    (err && rss_known && !region->figures.bytes[MEMOIR_RSS]))
		return 0;
	struct memoir_idle_row *row = row_of(g, region, &label);

	if (!row)
		return -ENOMEM;
	if (g->by != MEMOIR_IDLE_BY_NAME)
		row->process = process;
	if (g->by == MEMOIR_IDLE_BY_REGION)
		row->region = region;
	if (g->by != MEMOIR_IDLE_BY_PROCESS) {
		row->name = label.name;
		row->kind = label.kind;
		row->source = label.source;
	}
	row->processes += !row->regions++ || *last_process != region->process;
	*last_process = region->process;
	if (err)
		row->known = false;
	else
		add(&row->figures, &figures);
	if (!err)
		add(&g->rows.total, &figures);
	return 0;
}

static int take_process(struct gather *g, const struct memoir_selection *selection,
			const struct memoir_process *process)
{
	uint32_t last_process = MEMOIR_NONE;
	int err = 0;

	if (!process->in_scope || !memoir_selection_matches_process(selection, process) ||
	    !memoir_idle_knows(g->idle, process))
		return 0;
	for (uint32_t i = 0; i < process->region_count && !err; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(g->snapshot, (size_t)process->first_region + i);

		if (region && region->kind != MEMOIR_KIND_HUGETLB &&
		    selection_matches_region_part(selection, g->snapshot, region))
			err = take_region(g, region, &last_process);
	}
	return err;
}

static int compare(const void *left, const void *right)
{
	const struct memoir_idle_row *a = left, *b = right;

	if (a->figures.idle_bytes != b->figures.idle_bytes)
		return a->figures.idle_bytes > b->figures.idle_bytes ? -1 : 1;
	if (a->name && b->name && strcmp(a->name, b->name) != 0)
		return strcmp(a->name, b->name);
	if (a->process && b->process && a->process->pid != b->process->pid)
		return a->process->pid < b->process->pid ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

int memoir_idle_rows(const struct memoir_idle *idle, const struct memoir_snapshot *snapshot,
		     const struct memoir_selection *selection, enum memoir_idle_by by,
		     struct memoir_idle_rows *ret_rows)
{
	struct gather g = { .idle = idle, .snapshot = snapshot, .by = by };
	int err = 0;

	for (size_t i = 0; i < snapshot->process_count && !err; i++)
		err = take_process(&g, selection, &snapshot->processes[i]);
	labels_free(&g.labels);
	if (err) {
		memoir_idle_rows_free(&g.rows);
		return err;
	}
	if (by != MEMOIR_IDLE_BY_REGION && g.rows.count)
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
