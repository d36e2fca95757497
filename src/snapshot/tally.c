// SPDX-License-Identifier: MIT
/*
 * Counts who maps what, by sets; knows nothing of processes, names or the kernel.
 */
#include "snapshot/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <memoir/snapshot.h>

#include "base/grow.h"
#include "kernel/own_memory.h"

#define ANON_ROOT 0u
#define OBJECT_ROOT 1u
#define ROOTS 2u

int tally_init(struct tally *tally)
{
	*tally = (struct tally){ 0 };
	tally->nodes = grow(NULL, &tally->node_room, 1024, sizeof(*tally->nodes));
	if (!tally->nodes)
		return -ENOMEM;
	for (tally->node_count = 0; tally->node_count < ROOTS; tally->node_count++)
		tally->nodes[tally->node_count] = (struct tally_node){ .child_region = UINT32_MAX };
	return 0;
}

void tally_free(struct tally *tally)
{
	for (size_t i = 0; i < tally->chunk_count; i++)
		free(tally->chunks[i]);
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
			chunk->sets[i] = OBJECT_ROOT;
	tally->chunks[tally->chunk_count++] = chunk;
	return chunk;
}

struct tally_chunk *tally_chunk_for(struct tally *tally, uint64_t base)
{
	uint32_t i = u64map_get(&tally->by_base, base);
	struct tally_chunk *chunk = i == U64MAP_NONE ? add_chunk(tally, base) : tally->chunks[i];

	if (chunk)
		tally->last = chunk;
	return chunk;
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
		.of_object = set == OBJECT_ROOT || nodes[set].of_object,
		.child_region = UINT32_MAX,
	};
	nodes[set].child = child;
	nodes[set].child_region = region;
	return child;
}

/* Pages of the set itself, and the shares of all sets from it downwards. */
struct sums {
	uint32_t ram_pages, swap_pages;
	uint64_t ram_fixed, swap_fixed;
};

static void count_pages(const struct tally *tally, struct sums *sums)
{
	for (size_t c = 0; c < tally->chunk_count; c++) {
		const struct tally_chunk *chunk = tally->chunks[c];
		bool swap = (chunk->base & (3ull << 62)) == TALLY_SWAP;

		for (size_t i = 0; i < TALLY_CHUNK; i++) {
			sums[chunk->sets[i]].ram_pages += !swap;
			sums[chunk->sets[i]].swap_pages += swap;
		}
	}
}

#define PAGE_FIXED (4096ull << 12)

int tally_shares(const struct tally *tally,
		 void (*take)(const struct tally_share *share, void *arg), void *arg)
{
	struct sums *sums = calloc(tally->node_count, sizeof(*sums));

	if (!sums)
		return -ENOMEM;
	own_memory_huge(sums, tally->node_count * sizeof(*sums));
	count_pages(tally, sums);
	/* A child was made after its parent, so from the last to the first all children come before. */
	for (size_t i = tally->node_count - 1; i >= ROOTS; i--) {
		const struct tally_node *node = &tally->nodes[i];
		struct sums *sum = &sums[i], *parent = &sums[node->parent];
		uint64_t each = PAGE_FIXED / node->depth;

		sum->ram_fixed += sum->ram_pages * each;
		sum->swap_fixed += sum->swap_pages * each;
		parent->ram_fixed += sum->ram_fixed;
		parent->swap_fixed += sum->swap_fixed;
		take(
			&(struct tally_share){
				.region = node->region,
				.private_pages = node->depth == 1 ? sum->ram_pages : 0,
				.ram_fixed = sum->ram_fixed,
				.swap_fixed = sum->swap_fixed,
			},
			arg);
	}
	free(sums);
	return 0;
}

/* Which nodes have pages, or a node below that has. */
static void mark_used(const struct tally *tally, const struct sums *sums, uint32_t *index)
{
	for (size_t i = tally->node_count - 1; i >= ROOTS; i--) {
		if (sums[i].ram_pages || sums[i].swap_pages)
			index[i] = 1;
		if (index[i])
			index[tally->nodes[i].parent] = 1;
	}
}

static int hand_out_sets(const struct tally *tally, const struct sums *sums, uint32_t *index,
			 int (*add)(const struct memoir_set *set, void *arg), void *arg)
{
	uint32_t count = 0;
	int err = 0;

	/* From here on the index of those handed out; roots are nobody's index. */
	index[ANON_ROOT] = index[OBJECT_ROOT] = MEMOIR_NONE;
	for (size_t i = ROOTS; i < tally->node_count && !err; i++) {
		const struct tally_node *node = &tally->nodes[i];
		struct memoir_set set = {
			.parent = index[node->parent],
			.region = node->region,
			.members = node->depth,
			.of_object = node->of_object,
			.ram_bytes = sums[i].ram_pages * 4096ull,
			.swap_bytes = sums[i].swap_pages * 4096ull,
		};

		if (!index[i])
			continue;
		index[i] = count++;
		err = add(&set, arg);
	}
	return err;
}

int tally_sets(const struct tally *tally, int (*add)(const struct memoir_set *set, void *arg),
	       void *arg)
{
	struct sums *sums = calloc(tally->node_count, sizeof(*sums));
	uint32_t *index = calloc(tally->node_count, sizeof(*index));
	int err = -ENOMEM;

	if (sums && index) {
		count_pages(tally, sums);
		mark_used(tally, sums, index);
		err = hand_out_sets(tally, sums, index, add, arg);
	}
	free(index);
	free(sums);
	return err;
}
