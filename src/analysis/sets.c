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
	struct set_link *links = malloc((snapshot->set_count + 1) * sizeof(*links));
	uint32_t *process = malloc((snapshot->region_count + 1) * sizeof(*process));

	for (size_t i = 0; links && process && i < snapshot->region_count; i++)
		process[i] = snapshot->regions[i].process;
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

struct way {
	struct set_link *links;
	const struct set_visitor *visitor;
	uint32_t *sets; /* from the root on */
	size_t depth;
	uint32_t *times; /* by process: how often it is on the way */
};

static void step_back(struct way *way)
{
	uint32_t set = way->sets[--way->depth];
	bool first = --way->times[way->links[set].process] == 0;

	if (way->visitor->leave)
		way->visitor->leave(set, first, way->visitor->arg);
}

static void step_into(struct way *way, uint32_t set)
{
	bool first = way->times[way->links[set].process]++ == 0;

	way->sets[way->depth++] = set;
	way->visitor->enter(set, first, way->visitor->arg);
}

static void walk(struct way *way, const uint32_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t parent = way->links[order[i]].parent;

		while (way->depth && way->sets[way->depth - 1] != parent)
			step_back(way);
		step_into(way, order[i]);
	}
	while (way->depth)
		step_back(way);
}

int sets_walk(const struct memoir_snapshot *snapshot, const struct set_visitor *visitor)
{
	size_t count = snapshot->set_count;
	struct way way = { .links = sets_links(snapshot), .visitor = visitor };
	uint32_t *order = malloc((count + 1) * sizeof(*order));
	int err = -ENOMEM;

	way.sets = malloc((count + 1) * sizeof(*way.sets));
	way.times = calloc(snapshot->process_count + 1, sizeof(*way.times));
	if (way.links && order && way.sets && way.times) {
		put_in_order(way.links, count, order, way.sets);
		walk(&way, order, count);
		err = 0;
	}
	free(order);
	free(way.links);
	free(way.sets);
	free(way.times);
	return err;
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
		const struct memoir_region *region = &snapshot->regions[i];

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
