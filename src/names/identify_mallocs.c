// SPDX-License-Identifier: MIT
/*
 * Allocators that take malloc's place: jemalloc and mimalloc.
 */
#include <stdlib.h>

#include "names/identify_rules.h"

/* ---- mimalloc ------------------------------------------------------------------------------- */

#define MI_SLICE_BYTES (64 * KIB)

/* struct mi_segment_s of mimalloc 2.0; words that are not asked about have no name. */
struct mi_segment {
	uint64_t id, flags;
	uint64_t alignment, alignment_offset;
	uint64_t before_cookie[23];
	uint64_t cookie; /* the segment's address ^ a secret of the process */
	uint64_t slices, kind;
};

static bool is_mi_segment(const struct mi_segment *segment, uint64_t at, uint64_t room)
{
	return segment->alignment == MI_SEGMENT_BYTES && segment->kind <= 1 && segment->slices &&
	       segment->slices <= room / MI_SLICE_BYTES && segment->cookie &&
	       segment->cookie != at && (segment->cookie ^ at) >> 32;
}

/* Segments that were merged into one region come one after the other, and have one secret. */
bool identify_mimalloc(struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i];
	uint64_t at = region->start, secret = 0;
	struct mi_segment segment;

	if (!identify_is_rw(region))
		return false;
	while (at < region->end) {
		if (at % MI_SEGMENT_BYTES || !identify_read(space, at, &segment, sizeof(segment)) ||
		    !is_mi_segment(&segment, at, region->end - at) ||
		    (secret && (segment.cookie ^ at) != secret))
			return false;
		secret = segment.cookie ^ at;
		at += segment.slices * MI_SLICE_BYTES;
	}
	return true;
}

/* ---- jemalloc ------------------------------------------------------------------------------- */

#define JE_BLOCK_ALIGN (2 * MIB)
#define JE_BLOCK_BYTES_MAX (1024 * MIB)
#define JE_EXTENT_WORDS 16 /* of an edata_t, and what it is aligned to */
#define JE_BLOCKS_MAX 512
#define JE_PROBES_MAX 16384

/* The beginning of edata_t of jemalloc 5.3: an extent of memory. */
struct je_extent {
	uint64_t bits, start, bytes;
};

/* struct base_block_s: where the descriptions of extents are. Its own is of what is left of it. */
struct je_block {
	uint64_t bytes, next;
	struct je_extent rest;
};

struct je_proof {
	bool start, end; /* an extent begins, or ends, with the region */
};

struct je_search {
	struct identify_space *space;
	size_t probes;
	size_t blocks;
	uint64_t starts[JE_BLOCKS_MAX], ends[JE_BLOCKS_MAX]; /* of what is used of each block */
	uint64_t block_ends[JE_BLOCKS_MAX];
};

static bool is_je_block(const struct je_block *block, uint64_t at, uint64_t room)
{
	return block->bytes && block->bytes % JE_BLOCK_ALIGN == 0 && block->bytes <= room &&
	       block->bytes <= JE_BLOCK_BYTES_MAX && block->next % JE_BLOCK_ALIGN == 0 &&
	       block->rest.start > at && block->rest.start - at <= block->bytes &&
	       block->rest.start + block->rest.bytes == at + block->bytes;
}

static void find_blocks_in(struct je_search *search, const struct identify_region *region)
{
	uint64_t at = (region->start + JE_BLOCK_ALIGN - 1) & ~(JE_BLOCK_ALIGN - 1);
	struct je_block block;

	for (; at < region->end && search->blocks < JE_BLOCKS_MAX; at += JE_BLOCK_ALIGN) {
		if (++search->probes > JE_PROBES_MAX)
			return;
		if (!identify_read(search->space, at, &block, sizeof(block)) ||
		    !is_je_block(&block, at, region->end - at))
			continue;
		search->starts[search->blocks] = at;
		search->ends[search->blocks] = block.rest.start;
		search->block_ends[search->blocks++] = at + block.bytes;
	}
}

/* Large extents begin at a random place in their first page, and the last bits of `bytes` count. */
static void prove(const struct je_search *search, struct je_proof *proofs, uint64_t start,
		  uint64_t bytes)
{
	struct identify_space *space = search->space;
	struct identify_region *region;

	start &= ~(uint64_t)(PAGE - 1);
	bytes &= ~(uint64_t)(PAGE - 1);
	region = bytes ? identify_at(space, start) : NULL;
	if (!region || bytes > region->end - start)
		return;
	proofs[region - space->regions].start |= start == region->start;
	proofs[region - space->regions].end |= start + bytes == region->end;
}

static void prove_by_block(const struct je_search *search, struct je_proof *proofs, size_t b)
{
	uint64_t at = search->starts[b], words[PAGE / sizeof(uint64_t)];

	prove(search, proofs, at, search->block_ends[b] - at);
	for (; at < search->ends[b]; at += PAGE) {
		if (!identify_read(search->space, at, words, sizeof(words)))
			continue;
		for (size_t w = 0; w < PAGE / sizeof(uint64_t); w += JE_EXTENT_WORDS)
			prove(search, proofs, words[w + 1], words[w + 2]);
	}
}

/* A region is jemalloc's if extents that it keeps account of begin and end with it. */
void identify_jemalloc(struct identify_space *space)
{
	struct je_search *search = calloc(1, sizeof(*search));
	struct je_proof *proofs = calloc(space->count, sizeof(*proofs));

	if (search && proofs) {
		search->space = space;
		for (size_t i = 0; i < space->count; i++)
			if (space->regions[i].form == IDENTIFY_ANON &&
			    identify_is_rw(&space->regions[i]))
				find_blocks_in(search, &space->regions[i]);
		for (size_t b = 0; b < search->blocks; b++)
			prove_by_block(search, proofs, b);
		for (size_t i = 0; i < space->count; i++)
			if (proofs[i].start && proofs[i].end)
				identify_mark(&space->regions[i], IDENTIFY_JEMALLOC);
	}
	free(search);
	free(proofs);
}
