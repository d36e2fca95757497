// SPDX-License-Identifier: MIT
/*
 * Bits of pages: put in, compared, counted. Knows no process and no kernel.
 */
#include "hints/idle_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

/* The first block at or behind an address. */
static size_t find(const struct idle_pages *pages, uint64_t addr)
{
	size_t low = 0, high = pages->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pages->blocks[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t block_start(uint64_t addr)
{
	return addr / IDLE_BLOCK_BYTES * IDLE_BLOCK_BYTES;
}

struct idle_block *idle_pages_block(struct idle_pages *pages, uint64_t addr)
{
	struct idle_block *blocks;

	addr = block_start(addr);
	if (pages->count && pages->blocks[pages->count - 1].addr == addr)
		return &pages->blocks[pages->count - 1];
	blocks = grow(pages->blocks, &pages->room, pages->count + 1, sizeof(*blocks));
	if (!blocks)
		return NULL;
	pages->blocks = blocks;
	blocks[pages->count] = (struct idle_block){ .addr = addr };
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
#define FOR_WORDS(word, from, to) \
	for (unsigned int word = (from) / 64; word <= ((to)-1) / 64; word++)

int idle_pages_add(struct idle_pages *pages, uint64_t addr, uint64_t count, bool idle)
{
	while (count) {
		struct idle_block *block = idle_pages_block(pages, addr);
		unsigned int from = (unsigned int)(addr % IDLE_BLOCK_BYTES / IDLE_PAGE_BYTES);
		unsigned int to = count < IDLE_BLOCK_PAGES - from ? from + (unsigned int)count
								  : IDLE_BLOCK_PAGES;

		if (!block)
			return -ENOMEM;
		FOR_WORDS(word, from, to)
		{
			block->resident[word] |= word_mask(word, from, to);
			if (idle)
				block->idle[word] |= word_mask(word, from, to);
		}
		addr += (to - from) * IDLE_PAGE_BYTES;
		count -= to - from;
	}
	return 0;
}

void idle_pages_forget(struct idle_pages *pages)
{
	for (size_t i = 0; i < pages->count; i++)
		memset(pages->blocks[i].idle, 0, sizeof(pages->blocks[i].idle));
}

/* ---- ranges --------------------------------------------------------------------------------- */

/* The pages of a block whose first byte is in [start, end); false: none. */
static bool block_part(const struct idle_block *block, uint64_t start, uint64_t end,
		       unsigned int *ret_from, unsigned int *ret_to)
{
	uint64_t block_end = block->addr + IDLE_BLOCK_BYTES;

	start = start > block->addr ? start : block->addr;
	end = end < block_end ? end : block_end;
	if (start >= end)
		return false;
	*ret_from = (unsigned int)((start - block->addr + IDLE_PAGE_BYTES - 1) / IDLE_PAGE_BYTES);
	*ret_to = (unsigned int)((end - block->addr + IDLE_PAGE_BYTES - 1) / IDLE_PAGE_BYTES);
	return *ret_from < *ret_to;
}

/* The blocks that a range meets. */
#define FOR_BLOCKS(pages, at, start, end)                 \
	for (size_t at = find(pages, block_start(start)); \
	     at < (pages)->count && (pages)->blocks[at].addr < (end); at++)

void idle_pages_mark(struct idle_pages *pages, uint64_t start, uint64_t end)
{
	FOR_BLOCKS(pages, at, start, end)
	{
		struct idle_block *block = &pages->blocks[at];
		unsigned int from, to;

		if (!block_part(block, start, end, &from, &to))
			continue;
		FOR_WORDS(word, from, to)
		block->idle[word] |= block->resident[word] & word_mask(word, from, to);
	}
}

static uint64_t bytes_of(uint64_t word)
{
	return (uint64_t)__builtin_popcountll(word) * IDLE_PAGE_BYTES;
}

void idle_pages_sum(const struct idle_pages *pages, uint64_t start, uint64_t end,
		    struct memoir_idle_figures *sum)
{
	FOR_BLOCKS(pages, at, start, end)
	{
		const struct idle_block *block = &pages->blocks[at];
		unsigned int from, to;

		if (!block_part(block, start, end, &from, &to))
			continue;
		FOR_WORDS(word, from, to)
		{
			uint64_t mask = word_mask(word, from, to);
			uint64_t resident = bytes_of(block->resident[word] & mask);
			uint64_t idle = bytes_of(block->idle[word] & mask);
			uint64_t unknown = bytes_of(block->unknown[word] & mask);

			sum->rss_bytes += resident;
			sum->idle_bytes += idle;
			sum->unknown_bytes += unknown;
			sum->touched_bytes += resident - idle - unknown;
		}
	}
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
	run->end = addr + IDLE_PAGE_BYTES;
	return ret;
}

int idle_pages_runs(const struct idle_pages *pages, uint64_t start, uint64_t end,
		    int (*each)(uint64_t start, uint64_t end, void *arg), void *arg)
{
	struct run run = { .each = each, .arg = arg };
	int ret = 0;

	FOR_BLOCKS(pages, at, start, end)
	{
		const struct idle_block *block = &pages->blocks[at];
		unsigned int from, to;

		if (!block_part(block, start, end, &from, &to))
			continue;
		FOR_WORDS(word, from, to)
		{
			uint64_t bits = block->idle[word] & word_mask(word, from, to);

			for (; bits && !ret; bits &= bits - 1) {
				unsigned int page = word * 64 + (unsigned int)__builtin_ctzll(bits);

				ret = take_page(&run, block->addr + page * IDLE_PAGE_BYTES);
			}
			if (ret)
				return ret;
		}
	}
	return end_run(&run);
}

/* The block of the same address in another look, *at rising with it; an empty one where there is none. */
static const struct idle_block *same_block(const struct idle_pages *other, size_t *at,
					   uint64_t addr)
{
	static const struct idle_block nothing;

	while (*at < other->count && other->blocks[*at].addr < addr)
		++*at;
	return *at < other->count && other->blocks[*at].addr == addr ? &other->blocks[*at]
								     : &nothing;
}

void idle_pages_only(struct idle_pages *now, const struct idle_pages *before)
{
	for (size_t i = 0, at = 0; i < now->count; i++) {
		struct idle_block *block = &now->blocks[i];
		const struct idle_block *old = same_block(before, &at, block->addr);

		for (unsigned int word = 0; word < IDLE_WORDS; word++)
			block->idle[word] &= old->resident[word];
	}
}

uint64_t idle_pages_since(struct idle_pages *now, const struct idle_pages *before)
{
	uint64_t cleared = 0;

	for (size_t i = 0, at = 0; i < now->count; i++) {
		struct idle_block *block = &now->blocks[i];
		const struct idle_block *old = same_block(before, &at, block->addr);

		for (unsigned int word = 0; word < IDLE_WORDS; word++) {
			uint64_t accessed = old->resident[word] & ~old->idle[word];
			/* What came without its bit set was not seen idle from the first. */
			uint64_t came = block->idle[word] & ~old->resident[word];

			cleared += (uint64_t)__builtin_popcountll(accessed & block->idle[word]);
			block->unknown[word] = (accessed & block->resident[word]) | came;
			block->idle[word] &= ~block->unknown[word];
		}
	}
	return cleared;
}

void idle_pages_free(struct idle_pages *pages)
{
	free(pages->blocks);
	*pages = (struct idle_pages){ 0 };
}
