// SPDX-License-Identifier: MIT
/*
 * Plans hints from a snapshot: which ranges, how much can move, what is left out and why. Gives none.
 */
#include "hints/plan.h"
#include "hints/spans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/label.h"
#include "analysis/meant.h"
#include "base/error.h"
#include "base/grow.h"
#include "base/options.h"
#include "kernel/maps.h"
#include "kernel/process.h"

/* With less in it its mean ratio says nothing. */
#define ZRAM_LEAST_BYTES (4ull << 20)

/* ---- into the plan --------------------------------------------------------------------------- */

static int add_range(struct planning *p, const struct piece *piece)
{
	struct memoir_plan *plan = p->plan;
	const struct memoir_region *region = piece->region;
	const struct memoir_object *object = memoir_snapshot_object(p->snap, region->object);
	struct memoir_plan_range *ranges =
		grow(plan->ranges, &p->range_room, plan->range_count + 1, sizeof(*ranges));
	const char *name = label_of(p->snap, region).name;
	uint64_t bytes = piece->movable.anon_bytes + piece->movable.object_bytes;
	uint64_t swap = plan_swap_need(p, &piece->movable);

	if (!ranges)
		return -ENOMEM;
	plan->ranges = ranges;
	ranges[plan->range_count++] = (struct memoir_plan_range){
		.start = piece->start,
		.end = piece->end,
		.process = (uint32_t)(p->process - plan->processes),
		.kind = region->kind,
		.dev_major = object ? object->dev_major : 0,
		.dev_minor = object ? object->dev_minor : 0,
		.inode = object ? object->inode : 0,
		.offset_bytes = region->offset_bytes + (piece->start - region->start),
		.name = strpool_add(p->strings, name, strlen(name)),
		.planned_bytes = bytes,
		.resident_bytes = piece->resident_bytes,
	};
	memcpy(ranges[plan->range_count - 1].perms, region->perms, sizeof(region->perms));
	p->process->range_count++;
	p->process->planned_bytes += bytes;
	p->process->swap_needed_bytes += swap;
	plan->planned_bytes += bytes;
	plan->swap_needed_bytes += swap;
	p->max_left = p->max_left == UINT64_MAX ? UINT64_MAX : less(p->max_left, bytes);
	p->swap_left = p->swap_left == UINT64_MAX ? UINT64_MAX : less(p->swap_left, swap);
	return ranges[plan->range_count - 1].name ? 0 : -ENOMEM;
}

static int plan_piece(struct planning *p, struct piece *piece)
{
	int err = piece_settle(p, piece);

	if (err || (!piece->movable.anon_bytes && !piece->movable.object_bytes))
		return err;
	return add_range(p, piece);
}

/* ---- what is meant --------------------------------------------------------------------------- */

/* The pieces of a region that lie in options.only. */
static int plan_spans(struct planning *p, const struct piece *whole)
{
	size_t i = spans_behind(p->only, p->only_count, p->process->pid, whole->start);
	int err = 0;

	for (; i < p->only_count && p->only[i].pid == p->process->pid &&
	       p->only[i].start < whole->end && !err;
	     i++) {
		const struct memoir_span *span = &p->only[i];
		struct piece piece = *whole;

		if (span->start > whole->start)
			piece.start = (span->start + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
		piece.end = least(span->end & ~(PAGE_BYTES - 1), whole->end);
		if (piece.start < piece.end)
			err = plan_piece(p, &piece);
	}
	return err;
}

static int plan_region(struct planning *p, uint32_t index)
{
	struct piece piece = { .index = index, .region = &snapshot_regions(p->snap)[index] };

	if (!selection_matches_region_part(p->selection, p->snap, piece.region) ||
	    !selection_clip(p->selection, piece.region, &piece.start, &piece.end))
		return 0;
	return p->only ? plan_spans(p, &piece) : plan_piece(p, &piece);
}

static int take_locked(struct planning *p)
{
	struct smaps_figures figures;
	struct maps_line line;
	char *at = p->smaps.data;

	while (smaps_next(&at, &line, &figures) > 0) {
		struct locked_span *spans;

		if (!figures.locked)
			continue;
		spans = grow(p->locked, &p->locked_room, p->locked_count + 1, sizeof(*spans));
		if (!spans)
			return -ENOMEM;
		p->locked = spans;
		spans[p->locked_count++] = (struct locked_span){ line.start, line.end };
	}
	return 0;
}

/* smaps is only read where something is locked: it looks at every page. */
static int find_locked(struct planning *p, bool *ret_gone)
{
	const struct kroot *root = p->memoir->root;
	struct process_status status;
	pid_t pid = p->process->pid;
	int err = process_status(root, pid, pid, &status);

	p->locked_count = 0;
	*ret_gone = err == -ENOENT || err == -ESRCH;
	if (err || !status.locked_bytes)
		return 0;
	ssize_t len = process_text(root, pid, pid, PROCESS_SMAPS, &p->smaps);

	/* What can't be read is found out by trying. */
	return len > 0 ? take_locked(p) : len == -ENOMEM ? -ENOMEM : 0;
}

static int add_process(struct planning *p, const struct memoir_process *process)
{
	struct memoir_plan *plan = p->plan;
	struct memoir_plan_process *processes = grow(plan->processes, &p->process_room,
						     plan->process_count + 1, sizeof(*processes));

	if (!processes)
		return -ENOMEM;
	plan->processes = processes;
	p->process = &processes[plan->process_count];
	*p->process = (struct memoir_plan_process){
		.pid = process->pid,
		.start_ticks = process->start_ticks,
		.comm = strpool_add(p->strings, process->comm, strlen(process->comm)),
		.first_range = (uint32_t)plan->range_count,
	};
	return p->process->comm ? 0 : -ENOMEM;
}

static int plan_process(struct planning *p, const struct memoir_process *process)
{
	bool gone = false;
	int err = add_process(p, process);

	/* So that what is planned for one program is not done to the next that the process becomes. */
	if (!err)
		p->process->stack_start =
			process_stack_start(p->memoir->root, process->pid, process->start_ticks);
	if (!err)
		err = find_locked(p, &gone);
	if (err || gone)
		return err;
	p->plan->process_count++;
	if (!process->readable)
		plan_skip(p, MEMOIR_SKIP_UNKNOWN, 0);
	p->pagemap_tried = false;
	p->pagemap_fd = -1;
	for (uint32_t i = 0; i < process->region_count && !err; i++)
		err = plan_region(p, process->first_region + i);
	if (p->pagemap_fd >= 0)
		close(p->pagemap_fd);
	return err;
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void find_swap(struct planning *p)
{
	struct memoir_plan *plan = p->plan;

	plan->swap_free_known =
		memoir_snapshot_meminfo(p->snap, "SwapFree", &plan->swap_free_bytes) == 0;
	p->swap_left = plan->swap_free_known && p->options.hint == MEMOIR_HINT_PAGEOUT
			       ? plan->swap_free_bytes
			       : UINT64_MAX;
	p->max_left = p->options.max_bytes ? p->options.max_bytes : UINT64_MAX;
}

/* By the mean ratio of what is there: nobody can tell how well pages compress before they are. */
static void estimate_zram(struct planning *p)
{
	uint64_t orig, used;

	if (memoir_snapshot_meminfo(p->snap, "zram_orig_bytes", &orig) < 0 ||
	    memoir_snapshot_meminfo(p->snap, "zram_used_bytes", &used) < 0 ||
	    orig < ZRAM_LEAST_BYTES)
		return;
	p->plan->zram_known = true;
	p->plan->zram_estimate_bytes =
		(uint64_t)((double)p->plan->swap_needed_bytes * ((double)used / (double)orig));
}

/* The plan and the strings it owns. */
struct owned_plan {
	struct memoir_plan plan;
	struct strpool *strings;
};

static int prepare(struct planning *p, const struct memoir_plan_options *options)
{
	struct owned_plan *owned = calloc(1, sizeof(*owned));

	p->strings = strpool_new();
	if (!owned || !p->strings) {
		strpool_free(p->strings);
		free(owned);
		return -ENOMEM;
	}
	p->plan = &owned->plan;
	owned->strings = p->strings;
	p->plan->hint = p->options.hint;
	find_swap(p);
	if (options && options->only) {
		p->only = spans_sorted(p->options.only, p->options.only_count, &p->only_count);
		if (!p->only)
			return -ENOMEM;
	}
	return movable_prepare(p);
}

static int plan_all(struct planning *p)
{
	uint8_t *meant = meant_processes(p->snap, p->selection);
	int err = meant ? 0 : -ENOMEM;

	for (size_t i = 0; i < p->snap->process_count && !err; i++)
		if (meant[i] != MEANT_NOT)
			err = plan_process(p, &p->snap->processes[i]);
	free(meant);
	if (!err)
		estimate_zram(p);
	return err;
}

int memoir_plan(struct memoir *memoir, const struct memoir_snapshot *snapshot,
		const struct memoir_selection *selection, const struct memoir_plan_options *options,
		struct memoir_plan **ret_plan, struct memoir_error *error)
{
	struct planning p = { .memoir = memoir, .snap = snapshot, .selection = selection };
	int err = 0;

	p.options = (struct memoir_plan_options){ .sz = sizeof(p.options),
						  .hint = MEMOIR_HINT_PAGEOUT };
	if (options)
		err = options_copy(&p.options, sizeof(p.options), options, options->sz,
				   "struct memoir_plan_options", error);
	if (err)
		return err;
	if (!memoir_hint_name(p.options.hint))
		return error_set(error, -EINVAL, "there is no hint %d", (int)p.options.hint);
	err = prepare(&p, options);
	if (!err)
		err = plan_all(&p);
	free(p.only);
	free(p.anon_alone);
	free(p.object_alone);
	free(p.locked);
	kbuf_free(&p.smaps);
	if (err) {
		memoir_plan_free(p.plan);
		return error_set(error, err, "out of memory");
	}
	*ret_plan = p.plan;
	return 0;
}

void memoir_plan_free(struct memoir_plan *plan)
{
	struct owned_plan *owned = (struct owned_plan *)plan;

	if (!plan)
		return;
	strpool_free(owned->strings);
	free(plan->processes);
	free(plan->ranges);
	free(owned);
}
