// SPDX-License-Identifier: MIT
/*
 * Goes over the tree of sharing sets depth first, in an order worked out by counting: parents stand
 * before their children, so that neither lists of children nor recursion is needed.
 */
#include "analysis/sets.h"

#include <errno.h>
#include <stdlib.h>

struct set_link *sets_links(const struct memoir_snapshot *snapshot)
{
	struct set_link *links = calloc(snapshot->set_count + 1, sizeof(*links));
	uint32_t *process = calloc(snapshot->region_count + 1, sizeof(*process));

	for (size_t i = 0; links && process && i < snapshot->region_count; i++)
		process[i] = snapshot_regions(snapshot)[i].process;
	for (size_t i = 0; links && process && i < snapshot->set_count; i++)
		links[i] = (struct set_link){ snapshot->sets[i].parent,
					      process[snapshot->sets[i].region] };
	if (!process) {
		free(links);
		links = NULL;
	}
	free(process);
	return links;
}

/* Write the sets in depth-first order. `next` is room for as many. */
static void put_in_order(const struct set_link *links, size_t count, uint32_t *order,
			 uint32_t *next)
{
	uint32_t next_root = 0;

	/* First how many sets there are from each one downwards, in `next`. */
	for (size_t i = 0; i < count; i++)
		next[i] = 1;
	for (size_t i = count; i-- > 0;)
		if (links[i].parent != MEMOIR_NONE)
			next[links[i].parent] += next[i];
	/* Then where the next child is to stand. */
	for (size_t i = 0; i < count; i++) {
		uint32_t parent = links[i].parent, size = next[i];
		uint32_t *from = parent == MEMOIR_NONE ? &next_root : &next[parent];

		order[*from] = (uint32_t)i;
		next[i] = *from + 1;
		*from += size;
	}
}

/* From a root to the set visited last. */
struct way {
	struct set_link *links;
	uint32_t *sets;
	size_t depth;
	uint32_t *times; /* by process: how often it is on the way */
};

/* Back to the parent of the set that comes next, and on to this. */
static bool step(struct way *way, uint32_t set)
{
	while (way->depth && way->sets[way->depth - 1] != way->links[set].parent)
		way->times[way->links[way->sets[--way->depth]].process]--;
	way->sets[way->depth++] = set;
	return way->times[way->links[set].process]++ == 0;
}

int sets_walk(const struct memoir_snapshot *snapshot,
	      void (*visit)(uint32_t set, uint32_t process, bool first, void *arg), void *arg)
{
	size_t count = snapshot->set_count;
	struct way way = { .links = sets_links(snapshot) };
	uint32_t *order = calloc(count + 1, sizeof(*order));
	bool room;

	way.sets = calloc(count + 1, sizeof(*way.sets));
	way.times = calloc(snapshot->process_count + 1, sizeof(*way.times));
	room = way.links && order && way.sets && way.times;
	if (room)
		put_in_order(way.links, count, order, way.sets);
	for (size_t i = 0; room && i < count; i++) {
		bool first = step(&way, order[i]);

		visit(order[i], way.links[order[i]].process, first, arg);
	}
	free(order);
	free(way.links);
	free(way.sets);
	free(way.times);
	return room ? 0 : -ENOMEM;
}

static uint64_t less(uint64_t bytes, uint64_t part_bytes)
{
	return bytes > part_bytes ? bytes - part_bytes : 0;
}

uint64_t *sets_rest_of_regions(const struct memoir_snapshot *snapshot)
{
	uint64_t *rest = calloc(snapshot->region_count + 1, sizeof(*rest));

	if (!rest)
		return NULL;
	for (size_t i = 0; i < snapshot->region_count; i++) {
		const struct memoir_region *region = &snapshot_regions(snapshot)[i];

		if (region->object != MEMOIR_NONE && region->figures.known & (1u << MEMOIR_USS))
			rest[i] = less(region->figures.bytes[MEMOIR_USS], region->own_anon_bytes);
	}
	for (size_t i = 0; i < snapshot->set_count; i++) {
		const struct memoir_set *set = &snapshot->sets[i];

		if (set->members == 1)
			rest[set->region] = less(rest[set->region], set->ram_bytes);
	}
	return rest;
}
