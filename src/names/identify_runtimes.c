// SPDX-License-Identifier: MIT
/*
 * Heaps of language runtimes that say what they are at the beginning of each block: Python, V8, Go. And
 * code that was made at run time.
 */
#include <string.h>

#include "names/identify_rules.h"

/* ---- Python --------------------------------------------------------------------------------- */

/* struct pool_header of Objects/obmalloc.c. */
struct pool_header {
	uint64_t used_blocks;
	uint64_t free_block, next_pool, previous_pool;
	uint32_t arena, size_class, next_offset, max_next_offset;
};

static const struct pymalloc {
	uint64_t arena_bytes, pool_bytes;
} pymallocs[] = {
	{ 1 * MIB, 16 * KIB },  /* from 3.10 on */
	{ 256 * KIB, 4 * KIB }, /* before */
};

#define SIZE_CLASSES 32 /* of 16 bytes each */

/* A pool that was used once keeps its class, and how far it may be cut into blocks follows from that. */
static bool is_pool(const struct pool_header *pool, const struct pymalloc *by)
{
	uint32_t block_bytes = (pool->size_class + 1) * 16;

	return pool->size_class < SIZE_CLASSES &&
	       pool->used_blocks <= by->pool_bytes / block_bytes &&
	       pool->max_next_offset == by->pool_bytes - block_bytes &&
	       pool->next_offset >= sizeof(*pool) && pool->next_offset <= by->pool_bytes &&
	       pool->previous_pool && pool->next_pool;
}

/* Arenas begin at any page, and their pools at a multiple of a pool. The first pool is used first. */
static bool are_arenas(struct identify_space *space, const struct identify_region *region,
		       const struct pymalloc *by)
{
	struct pool_header pool;

	if (identify_bytes(region) % by->arena_bytes)
		return false;
	for (uint64_t arena = region->start; arena < region->end; arena += by->arena_bytes) {
		uint64_t first = (arena + by->pool_bytes - 1) & ~(by->pool_bytes - 1);

		if (!identify_read(space, first, &pool, sizeof(pool)) || !is_pool(&pool, by))
			return false;
	}
	return true;
}

bool identify_python_arena(struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i];

	if (!identify_is_rw(region))
		return false;
	for (size_t p = 0; p < sizeof(pymallocs) / sizeof(pymallocs[0]); p++)
		if (are_arenas(space, region, &pymallocs[p]))
			return true;
	return false;
}

/* ---- V8 ------------------------------------------------------------------------------------- */

/* The beginning of MemoryChunk of src/heap: the same in V8 10 and 11 (Node.js 18 and 20). */
struct v8_chunk {
	uint64_t bytes, flags, heap, area_start, area_end;
	uint64_t more[11]; /* somewhere in it: its address and size once more, as it was reserved */
};

static bool is_reservation(const struct v8_chunk *chunk, uint64_t at)
{
	for (size_t m = 0; m + 1 < sizeof(chunk->more) / sizeof(chunk->more[0]); m++)
		if (chunk->more[m] == at && chunk->more[m + 1] == chunk->bytes)
			return true;
	return false;
}

static bool is_v8_chunk(const struct v8_chunk *chunk, uint64_t at, uint64_t room)
{
	return chunk->bytes >= V8_PAGE_BYTES && chunk->bytes <= room && chunk->heap &&
	       chunk->heap % 8 == 0 && chunk->area_start > at &&
	       chunk->area_start - at <= 4 * PAGE && chunk->area_end > chunk->area_start &&
	       chunk->area_end - at <= chunk->bytes && is_reservation(chunk, at);
}

/* Pages that were merged into one region come one after the other. */
bool identify_v8_heap(struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i];
	uint64_t at = region->start, heap = 0;
	struct v8_chunk chunk;

	if (!identify_is_rw(region))
		return false;
	while (at < region->end) {
		if (at % V8_PAGE_BYTES || !identify_read(space, at, &chunk, sizeof(chunk)) ||
		    !is_v8_chunk(&chunk, at, region->end - at) || (heap && chunk.heap != heap))
			return false;
		heap = chunk.heap;
		at += (chunk.bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	}
	return true;
}

/* ---- Go ------------------------------------------------------------------------------------- */

#define GO_HEAP_START 0xc000000000u /* where the runtime asks for its first arena */
#define GO_ARENA_BYTES (64 * MIB)

/* What every program has that was linked by Go 1.13 or later, in its data. */
static const char go_build_info[] = "\xff Go buildinf:";
#define GO_BUILD_INFO_BYTES (sizeof(go_build_info) - 1)
#define GO_BUILD_INFO_ALIGN 16

static bool has_build_info(struct identify_space *space, const struct identify_region *region)
{
	char page[PAGE];

	for (uint64_t at = region->start; at < region->end && at < region->start + MIB;
	     at += PAGE) {
		if (!identify_read(space, at, page, sizeof(page)))
			continue;
		for (size_t o = 0; o < sizeof(page); o += GO_BUILD_INFO_ALIGN)
			if (memcmp(page + o, go_build_info, GO_BUILD_INFO_BYTES) == 0)
				return true;
	}
	return false;
}

static bool is_go_program(struct identify_space *space)
{
	for (size_t i = 0; i < space->count; i++) {
		const struct identify_region *region = &space->regions[i];

		if (region->form == IDENTIFY_FILE && region->perms[2] != 'x' &&
		    region->perms[3] == 'p' && has_build_info(space, region))
			return true;
	}
	return false;
}

/*
 * The heap grows upwards from the first arena, by arenas that are reserved whole and made usable bit by
 * bit. Arenas elsewhere, which it takes when something is in the way, are not told.
 */
void identify_go(struct identify_space *space)
{
	struct identify_region *region = identify_at(space, GO_HEAP_START), *last;
	uint64_t end = GO_HEAP_START;

	if (!region || region->start != GO_HEAP_START)
		return;
	for (last = region; last < space->regions + space->count && last->start == end; last++) {
		if (last->form != IDENTIFY_ANON && last->form != IDENTIFY_GUARD)
			break;
		end = last->end;
	}
	if (end % GO_ARENA_BYTES || !is_go_program(space))
		return;
	for (; region < last; region++)
		if (identify_is_rw(region))
			identify_mark(region, IDENTIFY_GO_HEAP);
}

/* ---- code ----------------------------------------------------------------------------------- */

/* A program's text that was copied to huge pages, or unpacked, is where its file's other parts are. */
static bool is_part_of_file(const struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i];
	bool below = i > 0 && region[-1].end == region->start && region[-1].form == IDENTIFY_FILE;
	bool above = i + 1 < space->count && region[1].start == region->end &&
		     region[1].form == IDENTIFY_FILE;

	return below || above;
}

bool identify_jit(struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i];

	return region->perms[2] == 'x' && region->perms[3] == 'p' && !is_part_of_file(space, i) &&
	       !space->all_executable;
}
