// SPDX-License-Identifier: MIT
/*
 * Counts who maps what, by sets; knows nothing of processes, names or the kernel.
 */
#include "snapshot/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "kernel/own_memory.h"

int tally_init(struct tally *tally)
{
	*tally = (struct tally){ 0 };
	tally->nodes = grow(NULL, &tally->node_room, 1024, sizeof(*tally->nodes));
	if (!tally->nodes)
		return -ENOMEM;
	for (tally->node_count = 0; tally->node_count < TALLY_ROOTS; tally->node_count++)
		tally->nodes[tally->node_count] = (struct tally_node){ .child_region = UINT32_MAX };
	return 0;
}

void tally_free(struct tally *tally)
{
	for (size_t i = 0; i < tally->chunk_count; i++)
		free(tally->chunks[i]);
	for (size_t i = 0; i < tally->place_count; i++)
		free(tally->places[i]);
	free(tally->places);
	u64map_free(&tally->place_by_where);
	free(tally->chunks);
	free(tally->nodes);
	u64map_free(&tally->by_base);
	*tally = (struct tally){ 0 };
}

static struct tally_chunk *add_chunk(struct tally *tally, uint64_t base)
{
	struct tally_chunk *chunk = calloc(1, sizeof(*chunk));
	struct tally_chunk **chunks =
		grow(tally->chunks, &tally->chunk_room, tally->chunk_count + 1, sizeof(*chunks));

	if (chunks)
		tally->chunks = chunks;
	if (!chunk || !chunks ||
	    u64map_set(&tally->by_base, base, (uint32_t)tally->chunk_count) < 0) {
		free(chunk);
		tally->error = -ENOMEM;
		return NULL;
	}
	chunk->base = base;
	if (base & TALLY_OF_OBJECT)
		for (size_t i = 0; i < TALLY_CHUNK; i++)
			chunk->sets[i] = TALLY_OBJECT_ROOT;
	tally->chunks[tally->chunk_count++] = chunk;
	return chunk;
}

struct tally_chunk *tally_chunk_for(struct tally *tally, uint64_t base)
{
	uint32_t i = u64map_get(&tally->by_base, base);
	struct tally_chunk *chunk = i == U64MAP_NONE ? add_chunk(tally, base) : tally->chunks[i];

	if (chunk)
		tally->recent[tally_recent(base)] = chunk;
	return chunk;
}

/* 16 MiB of them; for what goes beyond pages are looked up one by one. */
#define PLACES_MAX 2048u
#define SEEN_ONCE (U64MAP_NONE - 1)

static struct tally_place *add_place(struct tally *tally, uint64_t where)
{
	struct tally_place **places =
		grow(tally->places, &tally->place_room, tally->place_count + 1, sizeof(*places));
	struct tally_place *place = places ? calloc(1, sizeof(*place)) : NULL;

	if (places)
		tally->places = places;
	if (!place || u64map_set(&tally->place_by_where, where, (uint32_t)tally->place_count) < 0) {
		free(place);
		tally->error = -ENOMEM;
		return NULL;
	}
	places[tally->place_count++] = place;
	return place;
}

struct tally_place *tally_place_at(struct tally *tally, uint64_t where)
{
	uint32_t i = u64map_get(&tally->place_by_where, where);

	if (i < SEEN_ONCE)
		return tally->places[i];
	if (i == SEEN_ONCE)
		return tally->place_count < PLACES_MAX ? add_place(tally, where) : NULL;
	if (u64map_set(&tally->place_by_where, where, SEEN_ONCE) < 0)
		tally->error = -ENOMEM;
	return NULL;
}

uint32_t tally_add_child(struct tally *tally, uint32_t set, uint32_t region)
{
	struct tally_node *nodes =
		grow(tally->nodes, &tally->node_room, tally->node_count + 1, sizeof(*nodes));

	if (!nodes) {
		tally->error = -ENOMEM;
		return set;
	}
	tally->nodes = nodes;
	uint32_t child = (uint32_t)tally->node_count++;

	nodes[child] = (struct tally_node){
		.parent = set,
		.region = region,
		.depth = nodes[set].depth + 1,
		.of_object = set == TALLY_OBJECT_ROOT || nodes[set].of_object,
		.child_region = UINT32_MAX,
	};
	nodes[set].child = child;
	nodes[set].child_region = region;
	return child;
}

/* ---- moving --------------------------------------------------------------------------------- */

static uint32_t find_member(const struct tally *tally, uint32_t set, uint32_t region,
			    size_t *ret_below)
{
	size_t below = 0;

	while (set >= TALLY_ROOTS && tally->nodes[set].region != region) {
		set = tally->nodes[set].parent;
		below++;
	}
	*ret_below = below;
	return set;
}

/* The set with `to` in place of `from`, which is the member of `at`, so many nodes above. */
static uint32_t make_set_with(struct tally *tally, uint32_t set, uint32_t at, size_t below,
			      uint32_t to)
{
	uint32_t *path = malloc((below + 1) * sizeof(*path));

	if (!path) {
		tally->error = -ENOMEM;
		return set;
	}
	for (size_t i = 0; i < below; i++) {
		path[i] = tally->nodes[set].region;
		set = tally->nodes[set].parent;
	}
	at = tally_add_child(tally, tally->nodes[at].parent, to);
	while (below--)
		at = tally_add_child(tally, at, path[below]);
	free(path);
	return at;
}

bool tally_move(struct tally *tally, uint64_t key, uint32_t from, uint32_t to, struct u64map *moved)
{
	uint32_t i = u64map_get(&tally->by_base, key & ~(uint64_t)(TALLY_CHUNK - 1));
	uint32_t *set = i == U64MAP_NONE ? NULL : &tally->chunks[i]->sets[key & (TALLY_CHUNK - 1)];
	uint32_t known, at;
	uint64_t pair;
	size_t below;

	if (!set || *set < TALLY_ROOTS)
		return false;
	pair = (uint64_t)to << 32 | *set;
	known = u64map_get(moved, pair);
	if (known == U64MAP_NONE) {
		at = find_member(tally, *set, from, &below);
		if (at < TALLY_ROOTS)
			return false;
		known = from == to ? *set : make_set_with(tally, *set, at, below, to);
		if (u64map_set(moved, pair, known) < 0)
			tally->error = -ENOMEM;
	}
	*set = known;
	return true;
}

/* ---- summing up ----------------------------------------------------------------------------- */

#define PAGE_FIXED (4096ull << 12)

static void count_pages(const struct tally *tally, struct tally_sum *sums)
{
	for (size_t c = 0; c < tally->chunk_count; c++) {
		const struct tally_chunk *chunk = tally->chunks[c];
		bool swap = (chunk->base & TALLY_SPACES) == TALLY_SWAP;

		/* By runs: neighbours are most often in one set, and adding to one number waits for the last time. */
		for (size_t i = 0, first; i < TALLY_CHUNK;) {
			uint32_t set = chunk->sets[i];

			for (first = i; i < TALLY_CHUNK && chunk->sets[i] == set;)
				i++;
			sums[set].ram_pages += swap ? 0 : (uint32_t)(i - first);
			sums[set].swap_pages += swap ? (uint32_t)(i - first) : 0;
		}
	}
}

/* A child was made after its parent, so from the last to the first all children come before. */
static void pass_up(const struct tally *tally, struct tally_sum *sums)
{
	for (size_t i = tally->node_count - 1; i >= TALLY_ROOTS; i--) {
		const struct tally_node *node = &tally->nodes[i];
		struct tally_sum *sum = &sums[i], *parent = &sums[node->parent];
		uint64_t each = PAGE_FIXED / node->depth;

		sum->ram_fixed += sum->ram_pages * each;
		sum->swap_fixed += sum->swap_pages * each;
		parent->ram_fixed += sum->ram_fixed;
		parent->swap_fixed += sum->swap_fixed;
	}
}

int tally_sum(const struct tally *tally, struct tally_sum **ret_sums)
{
	size_t bytes = tally->node_count * sizeof(struct tally_sum);
	struct tally_sum *sums = own_memory_array(bytes);

	if (!sums)
		return -ENOMEM;
	memset(sums, 0, bytes);
	count_pages(tally, sums);
	pass_up(tally, sums);
	*ret_sums = sums;
	return 0;
}
