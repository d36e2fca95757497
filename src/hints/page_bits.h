/* SPDX-License-Identifier: MIT */
/*
 * Three bits for each page of one address space, in blocks of 2 MiB where anything is: 100 KiB for a GiB.
 * What they mean is for those who put them in: that a page is there, that it carries a mark (not
 * accessed, say, or swapped out), that something about it is not known.
 */
#ifndef MEMOIR_HINTS_PAGE_BITS_H
#define MEMOIR_HINTS_PAGE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITS_PAGE_BYTES UINT64_C(4096)
#define BITS_BLOCK_PAGES 512u
#define BITS_BLOCK_BYTES (BITS_BLOCK_PAGES * BITS_PAGE_BYTES)
#define BITS_WORDS (BITS_BLOCK_PAGES / 64)

struct page_block {
	uint64_t addr; /* a multiple of BITS_BLOCK_BYTES */
	uint64_t there[BITS_WORDS], marked[BITS_WORDS], unknown[BITS_WORDS];
};

struct page_bits {
	struct page_block *blocks; /* rising */
	size_t count, room;
};

/* The block of an address, made if it isn't there; addresses must rise. NULL: out of memory. */
struct page_block *page_bits_block(struct page_bits *pages, uint64_t addr);

/* Take in count pages from addr on, all marked or all not. 0 or -ENOMEM. */
int page_bits_add(struct page_bits *pages, uint64_t addr, uint64_t count, bool marked);

/* Take all marks away. */
void page_bits_forget(struct page_bits *pages);

/* Leave only the marks of pages that were there before. */
void page_bits_only(struct page_bits *now, const struct page_bits *before);

/* Mark what is there of a range. */
void page_bits_mark(struct page_bits *pages, uint64_t start, uint64_t end);

/*
 * `now` seen after `before`, both marked for "accessed bit not set": marked stays what was not accessed at
 * either time; what was accessed before is unknown. Returns how many bits somebody else cleared.
 */
uint64_t page_bits_since(struct page_bits *now, const struct page_bits *before);

/*
 * Of the pages that are marked in `left`, those that are marked no more: in ret_changed, where they are
 * unknown if they are not even there. The marks of all of them are taken away in `left`. 0 or -ENOMEM.
 */
int page_bits_lost(struct page_bits *left, const struct page_bits *now,
		   struct page_bits *ret_changed);

struct page_sum {
	uint64_t there_bytes, marked_bytes, unknown_bytes;
};

/* Pages whose first byte is in a range. */
struct page_sum page_bits_sum(const struct page_bits *pages, uint64_t start, uint64_t end);

/* Runs of marked pages; each() ends it by returning other than 0, which is then returned. */
int page_bits_runs(const struct page_bits *pages, uint64_t start, uint64_t end,
		   int (*each)(uint64_t start, uint64_t end, void *arg), void *arg);
void page_bits_free(struct page_bits *pages);

#endif
