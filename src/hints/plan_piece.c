// SPDX-License-Identifier: MIT
/*
 * What of one region, or the part of it that is meant, can move, and why the rest can't; up to the limits. Adds nothing to
 * the plan.
 */
#include <errno.h>

#include "hints/plan.h"
#include "kernel/hint.h"

#define HUGE_BYTES (PAGE_BYTES * HUGE_PAGES)

static uint64_t figure(const struct memoir_region *region, enum memoir_figure which)
{
	return region->figures.known & (1u << which) ? region->figures.bytes[which] : 0;
}

void plan_skip(struct planning *p, enum memoir_skip why, uint64_t bytes)
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
	plan_skip(p, why, least(bytes, piece->end - piece->start));
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
			plan_skip(p, MEMOIR_SKIP_OUT, figure(piece->region, MEMOIR_SWAP));
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
	plan_skip(p, MEMOIR_SKIP_SHARED,
		  less(piece->resident_bytes, movable->anon_bytes + movable->object_bytes));
	if (p->options.hint == MEMOIR_HINT_PAGEOUT && movable->object_bytes &&
	    !may_page_file(p, piece)) {
		plan_skip(p, MEMOIR_SKIP_FILE, movable->object_bytes);
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
		plan_skip(p, MEMOIR_SKIP_UNFIT, piece->resident_bytes);
		return;
	}
	if (piece->resident_bytes > huge)
		piece->movable.anon_bytes = less(end - start, huge);
	piece->start = start;
	piece->end = end;
}

/* ---- limits ---------------------------------------------------------------------------------- */

uint64_t plan_swap_need(const struct planning *p, const struct movable *movable)
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
	bool swaps = plan_swap_need(p, &piece->movable) > 0;
	uint64_t budget = swaps ? least(p->max_left, p->swap_left) : p->max_left;
	enum memoir_skip why = budget < p->max_left ? MEMOIR_SKIP_NO_SWAP : MEMOIR_SKIP_LIMIT;
	int err = 0;

	if (bytes <= budget)
		return 0;
	/* Without any swap the pages of files are still there to go. */
	if (swaps && why == MEMOIR_SKIP_NO_SWAP && !piece->movable.object_to_swap &&
	    budget < PAGE_BYTES) {
		plan_skip(p, why, piece->movable.anon_bytes);
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
	plan_skip(p, why, less(bytes, piece->movable.anon_bytes + piece->movable.object_bytes));
	return err;
}

/* ---- all of it ------------------------------------------------------------------------------- */

int piece_settle(struct planning *p, struct piece *piece)
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
	if (!err)
		return 0;
	/* The process ended, or its pages can't be seen. */
	piece->movable = (struct movable){ 0 };
	plan_skip(p, MEMOIR_SKIP_UNKNOWN, figure(piece->region, MEMOIR_RSS));
	return err == -ENOMEM ? err : 0;
}
