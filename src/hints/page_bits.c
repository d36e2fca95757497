// SPDX-License-Identifier: MIT
/*
 * Bits of pages: put in, compared, counted. Knows no process and no kernel.
 */
#include "hints/page_bits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/search.h"

static bool is_before(const void *element, const void *key)
{
	return ((const struct page_block *)element)->addr < *(const uint64_t *)key;
}

/* The first block at or behind an address. */
static size_t find(const struct page_bits *pages, uint64_t addr)
{
	return lower_bound(pages->blocks, pages->count, sizeof(*pages->blocks), is_before, &addr);
}

static uint64_t block_start(uint64_t addr)
{
	return addr / BITS_BLOCK_BYTES * BITS_BLOCK_BYTES;
}

struct page_block *page_bits_block(struct page_bits *pages, uint64_t addr)
{
	struct page_block *blocks;

	addr = block_start(addr);
	if (pages->count && pages->blocks[pages->count - 1].addr == addr)
		return &pages->blocks[pages->count - 1];
	blocks = grow(pages->blocks, &pages->room, pages->count + 1, sizeof(*blocks));
	if (!blocks)
		return NULL;
	pages->blocks = blocks;
	blocks[pages->count] = (struct page_block){ .addr = addr };
	return &blocks[pages->count++];
}

/* Bits [from, to) of one word; to is at most 64 more than the word's first. */
static uint64_t word_mask(unsigned int word, unsigned int from, unsigned int to)
{
	unsigned int first = word * 64;
	unsigned int low = from > first ? from - first : 0;
	unsigned int high = to < first + 64 ? to - first : 64;
	uint64_t below = high == 64 ? UINT64_MAX : (UINT64_C(1) << high) - 1;

	return below & ~((UINT64_C(1) << low) - 1);
}

/* The words of a block that pages [from, to) lie in, from < to. */
/* NOLINTBEGIN(bugprone-macro-parentheses): names of variables */
#define FOR_WORDS(word, from, to) \
	for (unsigned int word = (from) / 64; word <= ((to)-1) / 64; word++)
/* NOLINTEND(bugprone-macro-parentheses) */

int page_bits_add(struct page_bits *pages, uint64_t addr, uint64_t count, bool marked)
{
	while (count) {
		struct page_block *block = page_bits_block(pages, addr);
		unsigned int from = (unsigned int)(addr % BITS_BLOCK_BYTES / BITS_PAGE_BYTES);
		unsigned int to = count < BITS_BLOCK_PAGES - from ? from + (unsigned int)count
								  : BITS_BLOCK_PAGES;

		if (!block)
			return -ENOMEM;
		FOR_WORDS(word, from, to)
		{
			block->there[word] |= word_mask(word, from, to);
			if (marked)
				block->marked[word] |= word_mask(word, from, to);
		}
		addr += (to - from) * BITS_PAGE_BYTES;
		count -= to - from;
	}
	return 0;
}

void page_bits_forget(struct page_bits *pages)
{
	for (size_t i = 0; i < pages->count; i++)
		memset(pages->blocks[i].marked, 0, sizeof(pages->blocks[i].marked));
}

/* ---- ranges --------------------------------------------------------------------------------- */

/* The pages of a block whose first byte is in [start, end); false: none. */
static bool block_part(const struct page_block *block, uint64_t start, uint64_t end,
		       unsigned int *ret_from, unsigned int *ret_to)
{
	uint64_t block_end = block->addr + BITS_BLOCK_BYTES;

	start = start > block->addr ? start : block->addr;
	end = end < block_end ? end : block_end;
	if (start >= end)
		return false;
	*ret_from = (unsigned int)((start - block->addr + BITS_PAGE_BYTES - 1) / BITS_PAGE_BYTES);
	*ret_to = (unsigned int)((end - block->addr + BITS_PAGE_BYTES - 1) / BITS_PAGE_BYTES);
	return *ret_from < *ret_to;
}

/* The blocks that a range meets. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define FOR_BLOCKS(pages, at, start, end)                 \
	for (size_t at = find(pages, block_start(start)); \
	     at < (pages)->count && (pages)->blocks[at].addr < (end); at++)
/* NOLINTEND(bugprone-macro-parentheses) */

void page_bits_mark(struct page_bits *pages, uint64_t start, uint64_t end)
{
	FOR_BLOCKS(pages, at, start, end)
	{
		struct page_block *block = &pages->blocks[at];
		unsigned int from, to;

		if (!block_part(block, start, end, &from, &to))
			continue;
		FOR_WORDS(word, from, to)
		block->marked[word] |= block->there[word] & word_mask(word, from, to);
	}
}

static uint64_t bytes_of(uint64_t word)
{
	return (uint64_t)__builtin_popcountll(word) * BITS_PAGE_BYTES;
}

struct page_sum page_bits_sum(const struct page_bits *pages, uint64_t start, uint64_t end)
{
	struct page_sum sum = { 0 };

	FOR_BLOCKS(pages, at, start, end)
	{
		const struct page_block *block = &pages->blocks[at];
		unsigned int from, to;

		if (!block_part(block, start, end, &from, &to))
			continue;
		FOR_WORDS(word, from, to)
		{
			uint64_t mask = word_mask(word, from, to);

			sum.there_bytes += bytes_of(block->there[word] & mask);
			sum.marked_bytes += bytes_of(block->marked[word] & mask);
			sum.unknown_bytes += bytes_of(block->unknown[word] & mask);
		}
	}
	return sum;
}

struct run {
	uint64_t start, end;
	int (*each)(uint64_t start, uint64_t end, void *arg);
	void *arg;
};

static int end_run(struct run *run)
{
	int ret = run->end ? run->each(run->start, run->end, run->arg) : 0;

	run->end = 0;
	return ret;
}

static int take_page(struct run *run, uint64_t addr)
{
	int ret = 0;

	if (run->end != addr) {
		ret = end_run(run);
		run->start = addr;
	}
	run->end = addr + BITS_PAGE_BYTES;
	return ret;
}

int page_bits_runs(const struct page_bits *pages, uint64_t start, uint64_t end,
		   int (*each)(uint64_t start, uint64_t end, void *arg), void *arg)
{
	struct run run = { .each = each, .arg = arg };
	int ret = 0;

	FOR_BLOCKS(pages, at, start, end)
	{
		const struct page_block *block = &pages->blocks[at];
		unsigned int from, to;

		if (!block_part(block, start, end, &from, &to))
			continue;
		FOR_WORDS(word, from, to)
		{
			uint64_t bits = block->marked[word] & word_mask(word, from, to);

			for (; bits && !ret; bits &= bits - 1) {
				unsigned int page = word * 64 + (unsigned int)__builtin_ctzll(bits);

				ret = take_page(&run, block->addr + page * BITS_PAGE_BYTES);
			}
			if (ret)
				return ret;
		}
	}
	return end_run(&run);
}

/* The block of the same address in another look, *at rising with it; an empty one where there is none. */
static const struct page_block *same_block(const struct page_bits *other, size_t *at, uint64_t addr)
{
	static const struct page_block nothing;

	while (*at < other->count && other->blocks[*at].addr < addr)
		++*at;
	return *at < other->count && other->blocks[*at].addr == addr ? &other->blocks[*at]
								     : &nothing;
}

void page_bits_only(struct page_bits *now, const struct page_bits *before)
{
	for (size_t i = 0, at = 0; i < now->count; i++) {
		struct page_block *block = &now->blocks[i];
		const struct page_block *old = same_block(before, &at, block->addr);

		for (unsigned int word = 0; word < BITS_WORDS; word++)
			block->marked[word] &= old->there[word];
	}
}

uint64_t page_bits_since(struct page_bits *now, const struct page_bits *before)
{
	uint64_t cleared = 0;

	for (size_t i = 0, at = 0; i < now->count; i++) {
		struct page_block *block = &now->blocks[i];
		const struct page_block *old = same_block(before, &at, block->addr);

		for (unsigned int word = 0; word < BITS_WORDS; word++) {
			uint64_t accessed = old->there[word] & ~old->marked[word];
			/* What came without its bit set was not seen idle from the first. */
			uint64_t came = block->marked[word] & ~old->there[word];

			cleared += (uint64_t)__builtin_popcountll(accessed & block->marked[word]);
			block->unknown[word] = (accessed & block->there[word]) | came;
			block->marked[word] &= ~block->unknown[word];
		}
	}
	return cleared;
}

int page_bits_lost(struct page_bits *left, const struct page_bits *now,
		   struct page_bits *ret_changed)
{
	struct page_bits changed = { 0 };

	for (size_t i = 0, at = 0; i < left->count; i++) {
		struct page_block *block = &left->blocks[i], *out = NULL;
		const struct page_block *new = same_block(now, &at, block->addr);

		for (unsigned int word = 0; word < BITS_WORDS; word++) {
			uint64_t lost = block->marked[word] & ~new->marked[word];

			if (!lost)
				continue;
			out = out ? out : page_bits_block(&changed, block->addr);
			if (!out) {
				page_bits_free(&changed);
				return -ENOMEM;
			}
			out->there[word] = lost & new->there[word];
			out->unknown[word] = lost & ~new->there[word];
			block->marked[word] &= ~lost;
		}
	}
	*ret_changed = changed;
	return 0;
}

void page_bits_free(struct page_bits *pages)
{
	free(pages->blocks);
	*pages = (struct page_bits){ 0 };
}
