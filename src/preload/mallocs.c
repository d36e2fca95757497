// SPDX-License-Identifier: MIT
/*
 * In front of malloc and its kin: large blocks have a name by who asked for them. A small one costs a
 * comparison, and so does a free. Where malloc is not glibc's nothing is named here: such an allocator gets
 * its memory by mmap or sbrk.
 */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "preload/callers.h"
#include "preload/next.h"

/* From this size on malloc maps a block of its own, until the program has freed larger ones. */
#define LARGE_BYTES ((size_t)128 << 10)
/* Less than that and its header may be large. */
#define ASKED_BYTES (LARGE_BYTES - 64)

#define CALLER __builtin_return_address(0)
#define STACK_TOP __builtin_dwarf_cfa()

/* What stands before a block (struct malloc_chunk). */
struct header {
	size_t gap;  /* of a mapping of its own: what lies before this header */
	size_t size; /* with it, and three flags */
};

#define FLAGS ((size_t)7)
#define FLAG_MAPPED ((size_t)2)

static struct header *header_of(const void *block)
{
	return (struct header *)block - 1;
}

static bool is_large(const void *block)
{
	return next.is_glibc && header_of(block)->size >= LARGE_BYTES;
}

/* All of a mapping of its own, else what the program may use: then the pages at the ends are not its alone. */
static char *range_of(void *block, size_t *bytes)
{
	const struct header *header = header_of(block);
	size_t size = header->size & ~FLAGS;

	if (header->size & FLAG_MAPPED) {
		*bytes = header->gap + size;
		return (char *)header - header->gap;
	}
	*bytes = size - sizeof(header->size);
	return block;
}

static void *name_block(void *block, const void *caller, const void *top)
{
	unsigned int places = block && is_large(block) ? memoir_name_places() : 0;
	char name[MEMOIR_NAME_MAX], *start;
	size_t bytes;

	/* The kernel names whole pages only. */
	if (!(places & MEMOIR_NAMES_IN_TABLE) && !(places && header_of(block)->size & FLAG_MAPPED))
		return block;
	start = range_of(block, &bytes);
	callers_name_of_malloc(caller, top, name);
	memoir_name(start, bytes, *name ? name : NULL);
	return block;
}

static void forget_block(void *block)
{
	size_t bytes;
	char *start = range_of(block, &bytes);

	if (memoir_name_places() & MEMOIR_NAMES_IN_TABLE)
		memoir_name(start, bytes, NULL);
}

/* ---- the large ones: apart, so that the small ones need no stack ------------------------------- */

__attribute__((noinline)) static void *malloc_large(size_t bytes, const void *caller,
						    const void *top)
{
	return name_block(next.malloc(bytes), caller, top);
}

__attribute__((noinline)) static void *calloc_large(size_t count, size_t bytes, const void *caller,
						    const void *top)
{
	return name_block(next.calloc(count, bytes), caller, top);
}

/* One that stays because there is no memory has its name by who wanted more of it. */
__attribute__((noinline)) static void *realloc_large(void *block, size_t bytes, const void *caller,
						     const void *top)
{
	void *moved;

	if (block && is_large(block))
		forget_block(block);
	moved = next.realloc(block, bytes);
	name_block(moved || !bytes ? moved : block, caller, top);
	return moved;
}

__attribute__((noinline)) static void free_large(void *block)
{
	forget_block(block);
	next.free(block);
}

/* ---- the calls ------------------------------------------------------------------------------ */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the headers' are not for us */

void *malloc(size_t bytes)
{
	if (__builtin_expect(bytes < ASKED_BYTES, 1))
		return next.malloc(bytes);
	return malloc_large(bytes, CALLER, STACK_TOP);
}

void free(void *block)
{
	if (__builtin_expect(block != NULL, 1) && __builtin_expect(is_large(block), 0))
		free_large(block);
	else
		next.free(block);
}

void *calloc(size_t count, size_t bytes)
{
	size_t all;

	if (__builtin_expect(!__builtin_mul_overflow(count, bytes, &all) && all < ASKED_BYTES, 1))
		return next.calloc(count, bytes);
	return calloc_large(count, bytes, CALLER, STACK_TOP);
}

void *realloc(void *block, size_t bytes)
{
	if (__builtin_expect(bytes < ASKED_BYTES && !(block && is_large(block)), 1))
		return next.realloc(block, bytes);
	return realloc_large(block, bytes, CALLER, STACK_TOP);
}

void *memalign(size_t alignment, size_t bytes)
{
	return name_block(next.memalign(alignment, bytes), CALLER, STACK_TOP);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	return name_block(next.aligned_alloc(alignment, bytes), CALLER, STACK_TOP);
}

int posix_memalign(void **ret_block, size_t alignment, size_t bytes)
{
	int err = next.posix_memalign(ret_block, alignment, bytes);

	if (!err)
		name_block(*ret_block, CALLER, STACK_TOP);
	return err;
}

void *valloc(size_t bytes)
{
	return name_block(next.valloc(bytes), CALLER, STACK_TOP);
}

void *pvalloc(size_t bytes)
{
	return name_block(next.pvalloc(bytes), CALLER, STACK_TOP);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
