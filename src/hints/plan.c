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
#include "kernel/hint.h"
#include "kernel/maps.h"
#include "kernel/process.h"

#define HUGE_BYTES (PAGE_BYTES * HUGE_PAGES)
/* With less in it its mean ratio says nothing. */
#define ZRAM_LEAST_BYTES (4ull << 20)

/* A region, or the part of it that is meant. */
struct piece {
	uint32_t index;
	const struct memoir_region *region;
	uint64_t start, end;
	struct movable movable;
	uint64_t resident_bytes;
};

static uint64_t figure(const struct memoir_region *region, enum memoir_figure which)
{
	return region->figures.known & (1u << which) ? region->figures.bytes[which] : 0;
}

static void skip(struct planning *p, enum memoir_skip why, uint64_t bytes)
{
	p->process->skipped[why] = true;
	p->process->skipped_bytes[why] += bytes;
}

static bool is_whole(const struct piece *piece)
{
	return piece->start == piece->region->start && piece->end == piece->region->end;
}

/* ---- what a region is ------------------------------------------------------------------------ */

/* Whether some of it lies in a locked mapping. */
static bool is_locked(const struct planning *p, const struct piece *piece)
{
	for (size_t i = 0; i < p->locked_count; i++)
		if (p->locked[i].start < piece->end && p->locked[i].end > piece->start)
			return true;
	return false;
}

/* Why nothing of it can be hinted at all, or MEMOIR_SKIPS. */
static enum memoir_skip kind_refuses(struct planning *p, const struct piece *piece)
{
	switch (piece->region->kind) {
	case MEMOIR_KIND_HUGETLB:
		return MEMOIR_SKIP_HUGETLB;
	case MEMOIR_KIND_DMABUF:
	case MEMOIR_KIND_DEVICE:
	case MEMOIR_KIND_VDSO:
	case MEMOIR_KIND_SPECIAL:
	case MEMOIR_KIND_IO_URING:
	case MEMOIR_KIND_PERF:
		return MEMOIR_SKIP_PFNMAP;
	default:
		return is_locked(p, piece) ? MEMOIR_SKIP_LOCKED : MEMOIR_SKIPS;
	}
}

static void skip_all(struct planning *p, const struct piece *piece, enum memoir_skip why)
{
	uint64_t bytes = figure(piece->region, MEMOIR_RSS);

	if (why == MEMOIR_SKIP_HUGETLB)
		bytes = figure(piece->region, MEMOIR_HUGETLB);
	else if (why == MEMOIR_SKIP_PFNMAP)
		bytes = piece->end - piece->start;
	skip(p, why, least(bytes, piece->end - piece->start));
}

/* ---- what moves of it ------------------------------------------------------------------------ */

static bool may_page_file(const struct planning *p, const struct piece *piece)
{
	const struct memoir_region *region = piece->region;
	const struct memoir_object *object = memoir_snapshot_object(p->snap, region->object);

	/* Other files of shmem are everybody's to write. */
	if (!object || (region->kind != MEMOIR_KIND_FILE && region->kind != MEMOIR_KIND_SHMEM))
		return true;
	return hint_may_page_file(p->memoir->root, p->process->pid, region->path, object->dev_major,
				  object->dev_minor, object->inode);
}

/* What is in RAM and mapped once. 0 or negative errno. */
static int count_resident(struct planning *p, struct piece *piece)
{
	uint64_t end;

	if (is_whole(piece)) {
		movable_of(p, piece->index, &piece->movable);
		piece->resident_bytes = figure(piece->region, MEMOIR_RSS);
		if (p->options.hint <= MEMOIR_HINT_PAGEOUT)
			skip(p, MEMOIR_SKIP_OUT, figure(piece->region, MEMOIR_SWAP));
		return 0;
	}
	return cut_count(p, piece->index, piece->start, piece->end, UINT64_MAX, &piece->movable,
			 &piece->resident_bytes, &end);
}

/* All that is in RAM, whoever maps it too; of a part of a region as much is anonymous as of what moves. */
static void take_shared(struct piece *piece)
{
	uint64_t shared = less(piece->resident_bytes,
			       piece->movable.anon_bytes + piece->movable.object_bytes);
	uint64_t anon = less(figure(piece->region, MEMOIR_ANON), piece->movable.anon_bytes);

	anon = least(shared, anon);
	piece->movable.anon_bytes += anon;
	piece->movable.object_bytes += shared - anon;
}

static void settle_pageout(struct planning *p, struct piece *piece)
{
	struct movable *movable = &piece->movable;

	if (p->options.shared)
		take_shared(piece);
	skip(p, MEMOIR_SKIP_SHARED,
	     less(piece->resident_bytes, movable->anon_bytes + movable->object_bytes));
	if (p->options.hint == MEMOIR_HINT_PAGEOUT && movable->object_bytes &&
	    !may_page_file(p, piece)) {
		skip(p, MEMOIR_SKIP_FILE, movable->object_bytes);
		movable->object_bytes = 0;
	}
}

/* What is not in RAM of a region's object: of a file what lies within it. */
static uint64_t absent_of_object(const struct planning *p, const struct piece *piece)
{
	const struct memoir_object *object = memoir_snapshot_object(p->snap, piece->region->object);
	uint64_t len = piece->end - piece->start;
	uint64_t from = piece->region->offset_bytes + (piece->start - piece->region->start);

	if (!object)
		return 0;
	if (kind_is_shmem(piece->region->kind))
		len = least(len, object->swapped_bytes);
	else if (object->size_bytes)
		len = least(len, less(object->size_bytes, from) + PAGE_BYTES - 1) &
		      ~(PAGE_BYTES - 1);
	return less(len, piece->resident_bytes);
}

static void settle_willneed(struct planning *p, struct piece *piece)
{
	if (is_whole(piece))
		piece->movable.anon_bytes = figure(piece->region, MEMOIR_SWAP);
	piece->movable.object_bytes = absent_of_object(p, piece);
	if (kind_is_shmem(piece->region->kind))
		piece->movable.anon_bytes = 0; /* it is the object's */
}

/* Whole huge pages' room in which there is something. */
static void settle_collapse(struct planning *p, struct piece *piece)
{
	uint64_t start = (piece->start + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	uint64_t end = piece->end & ~(HUGE_BYTES - 1);
	uint64_t huge = is_whole(piece) ? figure(piece->region, MEMOIR_THP) : 0;

	piece->movable = (struct movable){ 0 };
	if (piece->region->kind == MEMOIR_KIND_FILE || start >= end) {
		skip(p, MEMOIR_SKIP_UNFIT, piece->resident_bytes);
		return;
	}
	if (piece->resident_bytes > huge)
		piece->movable.anon_bytes = less(end - start, huge);
	piece->start = start;
	piece->end = end;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static uint64_t swap_need(const struct planning *p, const struct movable *movable)
{
	if (p->options.hint != MEMOIR_HINT_PAGEOUT)
		return 0;
	return movable->anon_bytes + (movable->object_to_swap ? movable->object_bytes : 0);
}

/*
 * Cut the piece where --max or the swap ends. A page of a file needs no swap, but where both are mixed all
 * counts as if it did.
 */
static int keep_to_limits(struct planning *p, struct piece *piece)
{
	uint64_t bytes = piece->movable.anon_bytes + piece->movable.object_bytes;
	bool swaps = swap_need(p, &piece->movable) > 0;
	uint64_t budget = swaps ? least(p->max_left, p->swap_left) : p->max_left;
	enum memoir_skip why = budget < p->max_left ? MEMOIR_SKIP_NO_SWAP : MEMOIR_SKIP_LIMIT;
	int err = 0;

	if (bytes <= budget)
		return 0;
	/* Without any swap the pages of files are still there to go. */
	if (swaps && why == MEMOIR_SKIP_NO_SWAP && !piece->movable.object_to_swap &&
	    budget < PAGE_BYTES) {
		skip(p, why, piece->movable.anon_bytes);
		piece->movable.anon_bytes = 0;
		return keep_to_limits(p, piece);
	}
	if (budget < PAGE_BYTES || p->options.hint == MEMOIR_HINT_COLLAPSE)
		piece->movable =
			(struct movable){ .object_to_swap = piece->movable.object_to_swap };
	else
		err = cut_count(p, piece->index, piece->start, piece->end,
				budget & ~(PAGE_BYTES - 1), &piece->movable, &piece->resident_bytes,
				&piece->end);
	skip(p, why, less(bytes, piece->movable.anon_bytes + piece->movable.object_bytes));
	return err;
}

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
	uint64_t swap = swap_need(p, &piece->movable);

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
	enum memoir_skip why = kind_refuses(p, piece);
	int err;

	if (why != MEMOIR_SKIPS) {
		skip_all(p, piece, why);
		return 0;
	}
	err = count_resident(p, piece);
	if (!err && p->options.hint == MEMOIR_HINT_WILLNEED)
		settle_willneed(p, piece);
	else if (!err && p->options.hint == MEMOIR_HINT_COLLAPSE)
		settle_collapse(p, piece);
	else if (!err)
		settle_pageout(p, piece);
	if (!err)
		err = keep_to_limits(p, piece);
	if (err) {
		/* The process ended, or its pages can't be seen. */
		skip(p, MEMOIR_SKIP_UNKNOWN, figure(piece->region, MEMOIR_RSS));
		return err == -ENOMEM ? err : 0;
	}
	if (!piece->movable.anon_bytes && !piece->movable.object_bytes)
		return 0;
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
	struct piece piece = { .index = index, .region = &p->snap->regions[index] };

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

	if (!err)
		err = find_locked(p, &gone);
	if (err || gone)
		return err;
	p->plan->process_count++;
	if (!process->readable)
		skip(p, MEMOIR_SKIP_UNKNOWN, 0);
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
