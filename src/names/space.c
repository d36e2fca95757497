// SPDX-License-Identifier: MIT
/*
 * Hands out the memory of the name table. Freed blocks are written to again as late as possible, so that
 * a reader of another process finds what it came for; knows nothing of ranges.
 */
#include "names/space.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "names/system.h"

#define JOURNAL_BLOCKS (SPACE_JOURNAL_CHANGES * sizeof(struct name_change) / NAME_BLOCK_BYTES)
#define KEPT_MIN 32u /* freed blocks that are left alone, and of the others one in eight */

struct space space;

/* Segment 0, and what is beside the space. */
#define FIRST_BYTES ((size_t)NAME_SEGMENT_BYTES + SPACE_BESIDE_BYTES)

/* What a free block holds; readers of it as a leaf don't look at this part. */
struct free_block {
	uint32_t count;
	uint32_t dead;
	uint32_t next;
	uint32_t retired; /* the low half of the generation that was the first without it */
};

static int add_segment(void)
{
	unsigned int k = 0;
	uint64_t begin;
	char *addr;

	while (k < NAME_SEGMENTS && space.base[k])
		k++;
	if (k == NAME_SEGMENTS || (uint64_t)NAME_SEGMENT_BYTES << k > NAME_SPACE_BYTES ||
	    (space.segments_max && k == space.segments_max))
		return -ENOMEM;
	addr = system_map(k ? space_segment_bytes(k) : FIRST_BYTES);
	if (!addr)
		return -ENOMEM;
	begin = k ? space_segment_bytes(k) : 0;
	space.base[k] = (uintptr_t)addr - begin;
	__atomic_store_n(&space.header->segments[k], (uintptr_t)addr, __ATOMIC_RELEASE);
	space.room = (uint32_t)((begin + space_segment_bytes(k)) / NAME_BLOCK_BYTES);
	return 0;
}

static void set_used(uint32_t blocks)
{
	space.blocks = blocks;
	__atomic_store_n(&space.header->used_bytes, (uint64_t)blocks * NAME_BLOCK_BYTES,
			 __ATOMIC_RELEASE);
}

int space_open(void)
{
	struct name_header *header = system_map_anchor();

	if (!header)
		return -ENOMEM;
	space = (struct space){ .header = header, .segments_max = space.segments_max };
	*header = (struct name_header){
		.version = NAME_TABLE_VERSION,
		.header_bytes = sizeof(*header),
		.block_bytes = NAME_BLOCK_BYTES,
		.segment_bytes = NAME_SEGMENT_BYTES,
		.journal_changes = SPACE_JOURNAL_CHANGES,
		.generation = 1,
	};
	if (add_segment() < 0) {
		system_unmap(header, system_page_bytes());
		space.header = NULL;
		return -ENOMEM;
	}
	set_used(JOURNAL_BLOCKS);
	return 0;
}

void space_close(void)
{
	for (unsigned int k = 0; k < NAME_SEGMENTS && space.base[k]; k++)
		system_unmap((void *)(uintptr_t)space.header->segments[k],
			     k ? space_segment_bytes(k) : FIRST_BYTES);
	system_unmap(space.header, system_page_bytes());
}

void *space_beside(void)
{
	return (void *)(space.base[0] + NAME_SEGMENT_BYTES);
}

/* ---- blocks --------------------------------------------------------------------------------- */

void space_reuse(uint64_t generation)
{
	if (space.header->reused >= generation)
		return;
	/* An exchange, so that it comes before anything that is written there. */
	__atomic_exchange_n(&space.header->reused, generation, __ATOMIC_SEQ_CST);
}

static uint32_t take_free(void)
{
	uint32_t block = space.free_first;
	const struct free_block *at = space_block(block);
	uint64_t now = space.header->generation;

	space.free_first = at->next;
	space.free_count--;
	space_reuse(now - (uint32_t)((uint32_t)now - at->retired));
	return block;
}

uint32_t space_alloc(void)
{
	if (space.free_count > KEPT_MIN + (space.blocks - space.free_count) / 8)
		return take_free();
	if (space.blocks == space.room && add_segment() < 0)
		return space.free_count ? take_free() : 0;
	set_used(space.blocks + 1);
	return space.blocks - 1;
}

uint32_t space_alloc_run(uint32_t count)
{
	uint32_t first = (space.blocks + count - 1) / count * count;

	while (space.room < first + count)
		if (add_segment() < 0)
			return 0;
	for (uint32_t skipped = space.blocks; skipped < first; skipped++)
		space_release(skipped);
	set_used(first + count);
	return first;
}

static void add_free(uint32_t block, uint64_t retired)
{
	struct free_block *at = space_block(block);

	at->retired = (uint32_t)retired;
	if (space.free_count)
		((struct free_block *)space_block(space.free_last))->next = block;
	else
		space.free_first = block;
	space.free_last = block;
	space.free_count++;
}

void space_retire(uint32_t leaf)
{
	add_free(leaf, space.header->generation);
}

void space_release(uint32_t block)
{
	space_reuse(space.header->generation);
	add_free(block, space.header->generation);
}

/* ---- after a fork --------------------------------------------------------------------------- */

void space_recover(void)
{
	const struct name_header *header = space.header;

	space.blocks = (uint32_t)(header->used_bytes / NAME_BLOCK_BYTES);
	space.room = 0;
	for (unsigned int k = 0; k < NAME_SEGMENTS; k++) {
		uint64_t begin = k ? space_segment_bytes(k) : 0;

		space.base[k] = header->segments[k] ? header->segments[k] - begin : 0;
		if (space.base[k])
			space.room =
				(uint32_t)((begin + space_segment_bytes(k)) / NAME_BLOCK_BYTES);
	}
	space.free_count = 0;
}

void space_keep(const uint8_t *used)
{
	for (uint32_t block = JOURNAL_BLOCKS; block < space.blocks; block++)
		if (!used[block])
			space_release(block);
}
