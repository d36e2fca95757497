// SPDX-License-Identifier: MIT
/*
 * Interned strings in large blocks, found by XXH3; nothing is freed before the pool is.
 */
#include "base/strpool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BLOCK_BYTES (64 * 1024)

struct block {
	struct block *next;
	size_t used, size;
	char bytes[];
};

struct strpool {
	struct block *blocks;
	const char **slots; /* open addressing, a power of two, at most half full */
	size_t slot_count, used;
};

struct strpool *strpool_new(void)
{
	struct strpool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->slot_count = 1024;
	pool->slots = calloc(pool->slot_count, sizeof(*pool->slots));
	if (!pool->slots) {
		free(pool);
		return NULL;
	}
	return pool;
}

void strpool_free(struct strpool *pool)
{
	if (!pool)
		return;
	for (struct block *b = pool->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(pool->slots);
	free(pool);
}

static size_t slot_of(const struct strpool *pool, const char *bytes, size_t len)
{
	size_t i = XXH3_64bits(bytes, len) & (pool->slot_count - 1);

	while (pool->slots[i] &&
	       (strncmp(pool->slots[i], bytes, len) != 0 || pool->slots[i][len] != '\0'))
		i = (i + 1) & (pool->slot_count - 1);
	return i;
}

static int widen(struct strpool *pool)
{
	const char **old = pool->slots;
	size_t old_count = pool->slot_count;

	pool->slots = calloc(old_count * 2, sizeof(*pool->slots));
	if (!pool->slots) {
		pool->slots = old;
		return -1;
	}
	pool->slot_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++)
		if (old[i])
			pool->slots[slot_of(pool, old[i], strlen(old[i]))] = old[i];
	free(old);
	return 0;
}

static char *room_for(struct strpool *pool, size_t size)
{
	struct block *b = pool->blocks;

	if (!b || b->size - b->used < size) {
		size_t block_size = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		b = malloc(sizeof(*b) + block_size);
		if (!b)
			return NULL;
		*b = (struct block){ .next = pool->blocks, .size = block_size };
		pool->blocks = b;
	}
	char *at = b->bytes + b->used;

	b->used += size;
	return at;
}

const char *strpool_add(struct strpool *pool, const char *bytes, size_t len)
{
	len = strnlen(bytes, len);
	size_t i = slot_of(pool, bytes, len);

	if (pool->slots[i])
		return pool->slots[i];
	if (pool->used * 2 >= pool->slot_count) {
		if (widen(pool) < 0)
			return NULL;
		i = slot_of(pool, bytes, len);
	}
	char *copy = room_for(pool, len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	pool->slots[i] = copy;
	pool->used++;
	return copy;
}
