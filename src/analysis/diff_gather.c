// SPDX-License-Identifier: MIT
/*
 * One side of a comparison: what a snapshot has by process, by name or by object; compares nothing.
 */
#include "analysis/diff.h"

#include <errno.h>
#include <stdlib.h>

#include <memoir/analysis.h>

#define ALL_KNOWN ((1u << MEMOIR_FIGURES) - 1)

static int gather_processes(const struct memoir_snapshot *snapshot, struct diff_items *items)
{
	size_t count = memoir_snapshot_process_count(snapshot);

	items->items = calloc(count + 1, sizeof(*items->items));
	if (!items->items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct memoir_process *process = memoir_snapshot_process(snapshot, i);
		struct diff_item *item = &items->items[items->count++];

		item->asked_for = process->in_scope;
		item->side = (struct memoir_diff_side){
			.present = true,
			.process = process,
			.processes = 1,
			.regions = process->region_count,
			.figures = process->figures,
		};
	}
	return 0;
}

static int gather_names(const struct memoir_snapshot *snapshot, struct diff_items *items)
{
	struct memoir_name_sums sums;
	int ret = memoir_names_sum(snapshot, NULL, &sums);

	if (ret < 0)
		return ret;
	items->items = calloc(sums.count + 1, sizeof(*items->items));
	for (size_t i = 0; items->items && i < sums.count; i++) {
		const struct memoir_name_sum *sum = &sums.rows[i];
		struct diff_item *item = &items->items[items->count++];

		item->asked_for = true;
		item->name = sum->name;
		item->source = sum->source;
		item->kind = sum->kind;
		item->side = (struct memoir_diff_side){
			.present = true,
			.processes = sum->processes,
			.regions = sum->regions,
			.figures = sum->figures,
		};
	}
	memoir_name_sums_free(&sums);
	return items->items ? 0 : -ENOMEM;
}

/* An item for each object, and behind them one for each kind of what has none. */
struct by_object {
	struct diff_item *items;
	uint32_t *last; /* the process counted last, + 1 */
	size_t object_count;
};

static void add_region(struct by_object *by, const struct memoir_region *region)
{
	size_t kind = region->kind < MEMOIR_KINDS ? region->kind : MEMOIR_KIND_SPECIAL;
	size_t at = region->object < by->object_count ? region->object : by->object_count + kind;
	struct memoir_diff_side *side = &by->items[at].side;

	by->items[at].asked_for = true;
	side->present = true;
	side->regions++;
	/* Regions of one process stand together. */
	if (by->last[at] != region->process + 1)
		side->processes++;
	by->last[at] = region->process + 1;
	memoir_figures_add(&side->figures, &region->figures);
}

static void add_regions(struct by_object *by, const struct memoir_snapshot *snapshot)
{
	size_t count = memoir_snapshot_region_count(snapshot);

	for (size_t i = 0; i < count; i++) {
		const struct memoir_region *region = memoir_snapshot_region(snapshot, i);
		const struct memoir_process *process =
			memoir_snapshot_process(snapshot, region->process);

		if (process && process->in_scope)
			add_region(by, region);
	}
}

/* What nobody maps matters if somebody asked for has it open. */
static void add_holders(struct by_object *by, const struct memoir_snapshot *snapshot)
{
	size_t count = memoir_snapshot_holder_count(snapshot);

	for (size_t i = 0; i < count; i++) {
		const struct memoir_holder *holder = memoir_snapshot_holder(snapshot, i);
		const struct memoir_process *process =
			memoir_snapshot_process(snapshot, holder->process);

		if (process && process->in_scope && holder->object < by->object_count)
			by->items[holder->object].asked_for = true;
	}
}

static void settle_objects(struct by_object *by, const struct memoir_snapshot *snapshot)
{
	for (size_t i = 0; i < by->object_count; i++) {
		const struct memoir_object *object = memoir_snapshot_object(snapshot, i);
		struct diff_item *item = &by->items[i];

		item->kind = object->kind;
		item->side.object = object;
		item->side.present = true;
		if (item->side.regions == 0)
			item->side.figures.known = ALL_KNOWN;
	}
	for (size_t kind = 0; kind < MEMOIR_KINDS; kind++)
		by->items[by->object_count + kind].kind = (enum memoir_kind)kind;
}

static int gather_objects(const struct memoir_snapshot *snapshot, struct diff_items *items)
{
	struct by_object by = { .object_count = memoir_snapshot_object_count(snapshot) };
	size_t count = by.object_count + MEMOIR_KINDS;

	by.items = calloc(count, sizeof(*by.items));
	by.last = calloc(count, sizeof(*by.last));
	if (!by.items || !by.last) {
		free(by.items);
		free(by.last);
		return -ENOMEM;
	}
	add_regions(&by, snapshot);
	add_holders(&by, snapshot);
	settle_objects(&by, snapshot);
	for (size_t i = 0; i < count; i++)
		if (by.items[i].side.present)
			by.items[items->count++] = by.items[i];
	free(by.last);
	items->items = by.items;
	return 0;
}

int diff_gather(const struct memoir_snapshot *snapshot, enum memoir_diff_by by,
		struct diff_items *ret_items)
{
	*ret_items = (struct diff_items){ 0 };
	switch (by) {
	case MEMOIR_DIFF_PROCESS:
		return gather_processes(snapshot, ret_items);
	case MEMOIR_DIFF_NAME:
		return gather_names(snapshot, ret_items);
	case MEMOIR_DIFF_OBJECT:
		return gather_objects(snapshot, ret_items);
	default:
		return -EINVAL;
	}
}

/* ---- exec ----------------------------------------------------------------------------------- */

/* What an address space keeps from its exec to its end; 0: not there. */
struct marks {
	uint64_t vdso, heap, stack;
};

static struct marks marks_of(const struct memoir_snapshot *snapshot,
			     const struct memoir_process *process)
{
	struct marks marks = { 0 };

	for (uint32_t i = 0; i < process->region_count; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(snapshot, (size_t)process->first_region + i);

		if (!region)
			break;
		if (region->kind == MEMOIR_KIND_VDSO && !marks.vdso)
			marks.vdso = region->start;
		if (region->kind == MEMOIR_KIND_HEAP && !marks.heap)
			marks.heap = region->start;
		if (region->kind == MEMOIR_KIND_STACK)
			marks.stack = region->end;
	}
	return marks;
}

bool diff_exec(const struct memoir_snapshot *before, const struct memoir_process *process_before,
	       const struct memoir_snapshot *after, const struct memoir_process *process_after,
	       bool *ret_exec)
{
	struct marks then = marks_of(before, process_before), now = marks_of(after, process_after);
	bool vdso = then.vdso && now.vdso, heap = then.heap && now.heap;
	bool stack = then.stack && now.stack;

	if (!vdso && !heap && !stack)
		return false;
	/* The stack's end comes last: a library that needs it executable may split the region. */
	if (vdso || heap)
		*ret_exec = (vdso && then.vdso != now.vdso) || (heap && then.heap != now.heap);
	else
		*ret_exec = then.stack != now.stack;
	return true;
}
