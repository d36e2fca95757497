// SPDX-License-Identifier: MIT
/*
 * What musl 1.2.1 and later maps: groups of its malloc (mallocng), and stacks of its threads. It is linked
 * statically as often as not, so no file tells; what is in memory has to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/search.h"
#include "names/identify_rules.h"

/* ---- groups --------------------------------------------------------------------------------- */

#define META_LENGTH_SHIFT 12 /* of the pages of its mapping in the last word of struct meta */
#define METAS ((PAGE - sizeof(struct meta_area_header)) / sizeof(struct meta))

/* struct meta: about a group of slots, apart from it. */
struct meta {
	uint64_t previous, next;
	uint64_t group; /* where it is; it begins with the meta's address */
	uint32_t free_slots, freed_slots;
	uint64_t what;
};

struct meta_area_header {
	uint64_t secret; /* the same in all of a process */
	uint64_t next;
	int32_t count;
	uint32_t unused;
};

/* struct meta_area: a page of them. */
struct meta_area {
	struct meta_area_header header;
	struct meta metas[METAS];
};

struct group {
	uint64_t start, end, meta;
};

struct musl {
	struct identify_space *space;
	uint64_t secret;
	struct group *groups; /* that have mappings of their own; by address in the end */
	size_t count, room;
};

/* What musl keeps by brk: a guard, and from there on only pages of metas. NULL: it is not musl's. */
static const struct identify_region *find_metas(const struct identify_space *space)
{
	for (size_t i = 1; i < space->count; i++) {
		const struct identify_region *region = &space->regions[i], *guard = region - 1;

		if (region->path && guard->path && strcmp(region->path, "[heap]") == 0 &&
		    strcmp(guard->path, "[heap]") == 0 && guard->end == region->start &&
		    guard->perms[0] == '-' && guard->perms[1] == '-' && identify_is_rw(region))
			return region;
	}
	return NULL;
}

static bool add_group(struct musl *musl, const struct meta *meta, uint64_t at)
{
	uint64_t pages = meta->what >> META_LENGTH_SHIFT, bytes, end;
	struct group *groups;

	/* Without a mapping of its own it is a slot of another group. */
	if (!pages || !meta->group)
		return true;
	if (meta->group % PAGE || __builtin_mul_overflow(pages, (uint64_t)PAGE, &bytes) ||
	    __builtin_add_overflow(meta->group, bytes, &end))
		return false;
	groups = grow(musl->groups, &musl->room, musl->count + 1, sizeof(*groups));
	if (!groups)
		return false;
	musl->groups = groups;
	groups[musl->count++] = (struct group){ meta->group, end, at };
	return true;
}

/* false: it is no page of metas of this process. */
static bool add_groups(struct musl *musl, const struct meta_area *area, uint64_t at)
{
	if (!area->header.secret || area->header.count < 0 ||
	    (uint64_t)area->header.count > METAS ||
	    (musl->secret && area->header.secret != musl->secret))
		return false;
	musl->secret = area->header.secret;
	for (int32_t i = 0; i < area->header.count; i++)
		if (!add_group(musl, &area->metas[i],
			       at + offsetof(struct meta_area, metas) +
				       (uint64_t)i * sizeof(struct meta)))
			return false;
	return true;
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The group points back at its meta. */
static bool points_back(struct identify_space *space, const struct group *group)
{
	uint64_t meta;

	return identify_read(space, group->start, &meta, sizeof(meta)) && meta == group->meta;
}

static bool is_before(const void *element, const void *key)
{
	return ((const struct group *)element)->start < *(const uint64_t *)key;
}

static size_t group_at(const struct musl *musl, uint64_t start)
{
	return lower_bound(musl->groups, musl->count, sizeof(*musl->groups), is_before, &start);
}

/* Mappings of groups that the kernel has merged: one after the other from the region's start to its end. */
static bool is_of_groups(const struct musl *musl, const struct identify_region *region)
{
	size_t first = group_at(musl, region->start), last = first;
	uint64_t at = region->start;

	while (last < musl->count && musl->groups[last].start == at && at < region->end)
		at = musl->groups[last++].end;
	return at == region->end && points_back(musl->space, &musl->groups[first]) &&
	       points_back(musl->space, &musl->groups[last - 1]);
}

static bool read_metas(struct musl *musl, const struct identify_region *metas)
{
	struct meta_area area;

	for (uint64_t at = metas->start; at < metas->end; at += PAGE)
		if (!identify_read(musl->space, at, &area, sizeof(area)) ||
		    !add_groups(musl, &area, at))
			return false;
	return musl->count;
}

void identify_musl(struct identify_space *space)
{
	const struct identify_region *metas = find_metas(space);
	struct musl musl = { .space = space };

	if (metas && read_metas(&musl, metas)) {
		qsort(musl.groups, musl.count, sizeof(*musl.groups), compare_groups);
		for (size_t i = 0; i < space->count; i++)
			if (space->regions[i].form == IDENTIFY_ANON &&
			    identify_is_rw(&space->regions[i]) &&
			    is_of_groups(&musl, &space->regions[i]))
				identify_mark(&space->regions[i], IDENTIFY_MUSL);
	}
	free(musl.groups);
}

/* ---- stacks --------------------------------------------------------------------------------- */

/* These are side by side in struct pthread, which lies above the stack in one mapping with it. */
struct musl_thread {
	uint64_t map, map_bytes;
	uint64_t stack; /* its upper end */
	uint64_t stack_bytes, guard_bytes;
};

static bool is_thread(const struct musl_thread *thread, const struct identify_region *guard,
		      const struct identify_region *region)
{
	return thread->map >= guard->start && thread->map < guard->end &&
	       thread->map_bytes == region->end - thread->map &&
	       thread->guard_bytes == guard->end - thread->map && thread->stack > region->start &&
	       thread->stack < region->end && thread->stack_bytes == thread->stack - region->start;
}

bool identify_musl_stack(struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i], *guard = region - 1;
	uint64_t top[PAGE / sizeof(uint64_t)];
	struct musl_thread thread;

	if (!identify_is_rw(region) || !identify_read(space, region->end - PAGE, top, sizeof(top)))
		return false;
	for (size_t at = 0; at + 5 <= sizeof(top) / sizeof(top[0]); at++) {
		memcpy(&thread, &top[at], sizeof(thread));
		if (is_thread(&thread, guard, region))
			return true;
	}
	return false;
}
