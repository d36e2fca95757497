/* SPDX-License-Identifier: MIT */
/*
 * Which regions map which pages, as sharing sets: the one place where mappings are counted.
 *
 * Every page that more than one region may map has a key (a frame, a swap entry, or an offset in an
 * object) and at any time belongs to one set: the regions added for it so far. Sets are the nodes of a
 * tree: a node is its parent's set plus one region. Adding region R to a page moves the page from its
 * node to that node's child for R, which pages that were together share, so the tree stays as small
 * as the sharing is regular, and a page costs four bytes whoever maps it.
 */
#ifndef MEMOIR_SNAPSHOT_TALLY_H
#define MEMOIR_SNAPSHOT_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/u64map.h"

/* Key spaces: the top bits say what the rest is. */
#define TALLY_FRAME 0ull
#define TALLY_SWAP (1ull << 62)
#define TALLY_OFFSET (2ull << 62)     /* of an object's page */
#define TALLY_FILE_FRAME (3ull << 62) /* of an object's page as well */
#define TALLY_OF_OBJECT (2ull << 62)  /* set in both of them */
#define TALLY_SPACES (3ull << 62)

#define TALLY_CHUNK 512
#define TALLY_RECENT 64

struct tally_node {
	uint32_t parent;
	uint32_t region;
	uint32_t depth : 31; /* members, a region counted as often as it maps a page */
	uint32_t of_object : 1;
	uint32_t child; /* the node for adding child_region, the last one asked for */
	uint32_t child_region;
};

struct tally_chunk {
	uint64_t base; /* key of sets[0] */
	bool huge;     /* its frames are one folio: somebody maps them as a whole */
	uint32_t sets[TALLY_CHUNK];
};

/*
 * Where the sets of a table's pages stand, as they were found for one region: members of a fork family
 * have most of their pages at the same addresses, and frames that follow each other lie anywhere.
 */
struct tally_place {
	uint64_t keys[TALLY_CHUNK];
	uint32_t *sets[TALLY_CHUNK]; /* NULL: not found yet */
};

struct tally {
	struct tally_node
		*nodes; /* [0] is the empty set of anonymous pages, [1] of objects' pages */
	size_t node_count, node_room;
	struct tally_chunk **chunks;
	size_t chunk_count, chunk_room;
	struct u64map by_base;
	struct tally_chunk *recent[TALLY_RECENT]; /* by the lowest bits of base / TALLY_CHUNK */
	struct tally_place **places;
	size_t place_count, place_room;
	struct u64map place_by_where;
	int error; /* -ENOMEM once memory ran out; then nothing more is counted */
};

int tally_init(struct tally *tally);
void tally_free(struct tally *tally);

/* What tally_add() does off its beaten path: another chunk, or a set that has no such child yet. */
struct tally_chunk *tally_chunk_for(struct tally *tally, uint64_t base);
uint32_t tally_add_child(struct tally *tally, uint32_t set, uint32_t region);

static inline size_t tally_recent(uint64_t base)
{
	return base / TALLY_CHUNK % TALLY_RECENT;
}

/* Where the set of a page stands; NULL when memory ran out. Inline: this is done for every shared page. */
static inline uint32_t *tally_slot(struct tally *tally, uint64_t key)
{
	uint64_t base = key & ~(uint64_t)(TALLY_CHUNK - 1);
	struct tally_chunk *chunk = tally->recent[tally_recent(base)];

	if (!chunk || chunk->base != base) {
		chunk = tally_chunk_for(tally, base);
		if (!chunk)
			return NULL;
	}
	return &chunk->sets[key & (TALLY_CHUNK - 1)];
}

/* The set that has this region besides. */
static inline uint32_t tally_child(struct tally *tally, uint32_t set, uint32_t region)
{
	const struct tally_node *node = &tally->nodes[set];

	return node->child_region == region ? node->child : tally_add_child(tally, set, region);
}

/* The page `key` is mapped (once more) by this region. */
static inline void tally_add(struct tally *tally, uint64_t key, uint32_t region)
{
	uint32_t *set = tally_slot(tally, key);

	if (set)
		*set = tally_child(tally, *set, region);
}

/*
 * The place called `where`: the same number for what probably has the same pages. NULL at first sight, as
 * most is seen once, and when there are very many.
 */
struct tally_place *tally_place_at(struct tally *tally, uint64_t where);

/* The slot of the i-th page of a place, or of no place (NULL). */
static inline uint32_t *tally_slot_at(struct tally *tally, struct tally_place *place, size_t i,
				      uint64_t key)
{
	uint32_t *set;

	if (!place)
		return tally_slot(tally, key);
	if (place->keys[i] == key && place->sets[i])
		return place->sets[i];
	set = tally_slot(tally, key);
	if (!place->sets[i]) {
		place->keys[i] = key;
		place->sets[i] = set;
	}
	return set;
}

/* For many pages of one region, most of which are in the same set: what that becomes is kept. */
struct tally_step {
	uint32_t from, to; /* both 0: none yet, as no set becomes the empty one */
};

static inline void tally_add_next(struct tally *tally, uint32_t *set, uint32_t region,
				  struct tally_step *step)
{
	if (!set)
		return;
	if (*set != step->from || !step->to)
		*step = (struct tally_step){ *set, tally_child(tally, *set, region) };
	*set = step->to;
}

/*
 * The page `key`, if region `from` maps it, is mapped by `to` in its place. Sets that changed so are kept
 * in `moved`, a map for this `from` alone. Returns whether `from` maps it.
 */
bool tally_move(struct tally *tally, uint64_t key, uint32_t from, uint32_t to,
		struct u64map *moved);

/* Of the pages whose set is exactly a node; and what all sets from it downwards share. */
struct tally_sum {
	uint64_t ram_fixed;  /* Σ 4096 << 12 / mappings, cut for each page as smaps does */
	uint64_t swap_fixed; /* the same over swap entries */
	uint32_t ram_pages, swap_pages;
};

/*
 * Sum up by node; ret_sums is to be freed. What a node's region gets is what lies in the sets below the
 * node, so sums are passed from children to parents: O(nodes), not O(members of sets).
 */
int tally_sum(const struct tally *tally, struct tally_sum **ret_sums);

/* Nodes that stand for no region: the empty set, of anonymous pages or of objects' pages. */
#define TALLY_ROOTS 2u
#define TALLY_ANON_ROOT 0u
#define TALLY_OBJECT_ROOT 1u

#endif
