/* SPDX-License-Identifier: MIT */
/*
 * How the runtime of a language may name its heap: a reservation that is committed bit by bit, names for parts
 * of pages, a heap that moves as it grows, and no cost where nobody keeps names.
 *
 *     cc runtime.c $(pkg-config --cflags --libs memoir-name) && ./a.out
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <memoir/name.h>

#define HEAP_BYTES ((size_t)1 << 20)
#define NURSERY_BYTES ((size_t)192 << 10)
#define TABLE_BYTES ((size_t)1000) /* less than a page */

struct heap {
	char *start;
	size_t bytes;
	bool by_bytes; /* parts of pages can have names: not where the kernel keeps them */
};

static int open_heap(struct heap *heap)
{
	void *start;
	/* Named as a whole, readable or not: what is committed later has the name already. */
	int err = memoir_map(HEAP_BYTES, "toy: heap", &start);

	if (err)
		return err;
	heap->start = start;
	heap->bytes = HEAP_BYTES;
	heap->by_bytes = memoir_name_places() & MEMOIR_NAMES_IN_TABLE;
	/* What is named again is split off; the rest keeps its name. */
	err = memoir_name(heap->start, NURSERY_BYTES, "toy: nursery");
	if (!err && heap->by_bytes)
		err = memoir_name(heap->start + NURSERY_BYTES, TABLE_BYTES, "toy: symbols");
	return err;
}

/* The names go along, and what is added has that of the last byte. */
static int grow(struct heap *heap, size_t bytes)
{
	void *moved;
	int err = memoir_remap_flags(heap->start, heap->bytes, bytes, MREMAP_MAYMOVE, NULL, &moved);

	if (!err) {
		heap->start = moved;
		heap->bytes = bytes;
	}
	return err;
}

int main(void)
{
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	struct heap heap;
	int err = open_heap(&heap);

	if (!err)
		err = grow(&heap, 4 * HEAP_BYTES);
	if (!err)
		err = memoir_name_counts(&counts);
	if (err) {
		fprintf(stderr, "runtime: %s\n", strerror(-err));
		return 1;
	}
	memset(heap.start, 1, heap.bytes);
	printf("%llu ranges of %llu names\n", (unsigned long long)counts.ranges,
	       (unsigned long long)counts.names);
	/* Names go before the memory does. */
	return memoir_unmap(heap.start, heap.bytes) ? 1 : 0;
}
