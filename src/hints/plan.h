/* SPDX-License-Identifier: MIT */
/*
 * The inside of planning: what the files that make a plan share.
 */
#ifndef MEMOIR_HINTS_PLAN_H
#define MEMOIR_HINTS_PLAN_H

#include <memoir/hint.h>

#include "base/strpool.h"
#include "snapshot/capture.h"

/* What can move of a region, by the snapshot. */
struct movable {
	uint64_t anon_bytes; /* goes to swap */
	uint64_t object_bytes;
	bool object_to_swap; /* shmem; else the object is a file */
};

struct locked_span {
	uint64_t start, end;
};

struct planning {
	struct memoir *memoir;
	const struct memoir_snapshot *snap;
	const struct memoir_selection *selection;
	struct memoir_plan_options options;
	struct memoir_plan *plan;
	struct strpool *strings;
	size_t process_room, range_room;
	struct memoir_span *only; /* options.only, sorted */
	size_t only_count;
	uint64_t *anon_alone; /* by region: pages in sets of one member */
	uint64_t *object_alone;
	uint64_t max_left, swap_left; /* UINT64_MAX: no limit */
	/* Of the process at hand. */
	struct memoir_plan_process *process;
	struct locked_span *locked; /* by address */
	size_t locked_count, locked_room;
	struct kbuf smaps;
	bool pagemap_tried;
	int pagemap_fd;  /* or negative errno */
	bool tells_sole; /* pagemap's bit for mapped once is to be looked at: not all of it is */
};

/* A region, or the part of it that is meant. */
struct piece {
	uint32_t index;
	const struct memoir_region *region;
	uint64_t start, end;
	struct movable movable;
	uint64_t resident_bytes;
};

/* plan_movable.c: from sharing sets, or where there are none from uss. 0 or -ENOMEM. */
int movable_prepare(struct planning *p);
void movable_of(const struct planning *p, uint32_t index, struct movable *ret_movable);

/*
 * plan_cut.c: what can move within [start, end), part of a region, by its pages. Stops where `budget` is
 * reached: *ret_end is where. 0 or negative errno.
 */
int cut_count(struct planning *p, uint32_t region, uint64_t start, uint64_t end, uint64_t budget,
	      struct movable *ret_movable, uint64_t *ret_resident, uint64_t *ret_end);

/*
 * plan_piece.c: find out what of a piece moves, within the limits; the rest is counted as skipped, with its reason. Its bounds
 * may become narrower; nothing moves: `movable` has no bytes. 0 or -ENOMEM.
 */
int piece_settle(struct planning *p, struct piece *piece);
void plan_skip(struct planning *p, enum memoir_skip why, uint64_t bytes);
uint64_t plan_swap_need(const struct planning *p, const struct movable *movable);

static inline uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t less(uint64_t bytes, uint64_t part_bytes)
{
	return bytes > part_bytes ? bytes - part_bytes : 0;
}

#endif
