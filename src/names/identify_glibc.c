// SPDX-License-Identifier: MIT
/*
 * What glibc maps for threads: their stacks, and the arenas that malloc gives them.
 */
#include <string.h>

#include "names/identify_rules.h"

/* ---- stacks --------------------------------------------------------------------------------- */

/* struct pthread has these side by side: stackblock, stackblock_size, guardsize. */
struct stack_block {
	uint64_t start, bytes, guard_bytes;
};

/* Whether it is a stack that ends with this region, and begins in the guard below it. */
static bool fits(const struct stack_block *block, const struct identify_region *guard,
		 const struct identify_region *region)
{
	return block->start >= guard->start && block->start < guard->end &&
	       block->start % PAGE == 0 && block->bytes == region->end - block->start &&
	       block->guard_bytes % PAGE == 0 && block->guard_bytes <= guard->end - block->start;
}

/*
 * glibc keeps a thread's struct pthread at the very top of its stack. Where the kernel has merged a stack
 * with what is mapped above it, the block does not end with the region, and nothing is said.
 */
bool identify_thread_stack(struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i], *guard = region - 1;
	uint64_t top[PAGE / sizeof(uint64_t)];
	struct stack_block block;

	if (!identify_is_rw(region) || !identify_read(space, region->end - PAGE, top, sizeof(top)))
		return false;
	for (size_t at = 0; at + 3 <= sizeof(top) / sizeof(top[0]); at++) {
		memcpy(&block, &top[at], sizeof(block));
		if (fits(&block, guard, region))
			return true;
	}
	return false;
}

/* ---- arenas --------------------------------------------------------------------------------- */

/* struct heap_info of malloc/arena.c, as far as all versions have it. */
struct heap_info {
	uint64_t arena;       /* ar_ptr: struct malloc_state, which is in the arena's first heap */
	uint64_t previous;    /* heap of the same arena, 0: this is the first */
	uint64_t bytes;       /* size */
	uint64_t ready_bytes; /* mprotect_size: what has been made readable */
};

/* malloc_state comes right behind the first heap's heap_info. */
static bool is_arena_of(const struct heap_info *info, uint64_t heap)
{
	uint64_t offset = info->arena % GLIBC_HEAP_BYTES;
	bool first = info->arena - offset == heap;

	return offset >= sizeof(*info) && offset <= 256 && offset % 16 == 0 &&
	       info->arena > offset && first == (info->previous == 0) &&
	       info->previous % GLIBC_HEAP_BYTES == 0 && info->previous != heap;
}

static bool is_heap(const struct heap_info *info, uint64_t heap)
{
	return is_arena_of(info, heap) && info->bytes && info->bytes % PAGE == 0 &&
	       info->bytes <= info->ready_bytes && info->ready_bytes % PAGE == 0 &&
	       info->ready_bytes <= GLIBC_HEAP_BYTES;
}

/* Heaps that are full are merged with the one above: each has to be one, up to the region's end. */
bool identify_glibc_arena(struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i];
	struct heap_info info;
	uint64_t at = region->start;

	if (!identify_is_rw(region))
		return false;
	while (at < region->end) {
		if (!identify_read(space, at, &info, sizeof(info)) || !is_heap(&info, at) ||
		    info.ready_bytes > region->end - at)
			return false;
		at += info.ready_bytes;
		if (at < region->end && at % GLIBC_HEAP_BYTES)
			return false;
	}
	return true;
}
