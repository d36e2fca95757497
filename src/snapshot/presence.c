// SPDX-License-Identifier: MIT
/*
 * Bits of pages in RAM, by process and page table; knows nothing of names or regions.
 */
#include "snapshot/presence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "kernel/pte_masks.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES (1ull << PAGE_SHIFT)
#define TABLE_BYTES ((uint64_t)PRESENCE_PAGES << PAGE_SHIFT)

void presence_free(struct presence *presence)
{
	free(presence->tables);
	free(presence->processes);
	u64map_free(&presence->by_process);
	*presence = (struct presence){ 0 };
}

static void keep_process(struct presence *p)
{
	struct presence_process *processes =
		grow(p->processes, &p->process_room, p->process_count + 1, sizeof(*processes));

	if (processes)
		p->processes = processes;
	if (!processes || u64map_set(&p->by_process, p->process, (uint32_t)p->process_count) < 0) {
		p->error = -ENOMEM;
		return;
	}
	processes[p->process_count++] = (struct presence_process){
		.process = p->process,
		.first = p->first,
		.count = p->count - p->first,
	};
}

void presence_enter(struct presence *presence, uint32_t process)
{
	if (presence->process == process)
		return;
	if (presence->keep)
		keep_process(presence);
	else
		presence->count = presence->first;
	presence->first = presence->count;
	presence->process = process;
	presence->keep = false;
}

void presence_keep(struct presence *presence)
{
	presence->keep = true;
}

/* ---- bits ----------------------------------------------------------------------------------- */

/* Neighbours may lie under the same table. */
static struct presence_table *table_for(struct presence *p, uint64_t addr)
{
	struct presence_table *tables;

	if (p->count > p->first && p->tables[p->count - 1].addr == addr)
		return &p->tables[p->count - 1];
	tables = grow(p->tables, &p->room, p->count + 1, sizeof(*tables));
	if (!tables) {
		p->error = -ENOMEM;
		return NULL;
	}
	p->tables = tables;
	tables[p->count] = (struct presence_table){ .addr = addr };
	return &tables[p->count++];
}

/* Bits [from, to) of one word. */
static uint64_t mask(unsigned int from, unsigned int to)
{
	uint64_t below = to < 64 ? (1ull << to) - 1 : UINT64_MAX;

	return below & ~((1ull << from) - 1);
}

static void set_all(uint64_t *bits, size_t first, size_t n)
{
	for (size_t i = first; i < first + n;) {
		size_t word = i / 64,
		       stop = (word + 1) * 64 < first + n ? (word + 1) * 64 : first + n;

		bits[word] |= mask(i % 64, (unsigned int)(stop - word * 64));
		i = stop;
	}
}

static void set_some(uint64_t *bits, size_t first, uint64_t some)
{
	size_t word = first / 64, shift = first % 64;

	bits[word] |= some << shift;
	/* Of the last word nothing lies behind. */
	if (shift && some >> (64 - shift))
		bits[word + 1] |= some >> (64 - shift);
}

void presence_add(struct presence *presence, uint64_t addr, const uint64_t *entries, size_t n,
		  uint64_t resident)
{
	size_t first = (addr >> PAGE_SHIFT) % PRESENCE_PAGES;
	struct presence_table *table =
		resident ? table_for(presence, addr & ~(TABLE_BYTES - 1)) : NULL;

	if (!table)
		return;
	if (resident == n) {
		set_all(table->bits, first, n);
		return;
	}
	for (size_t i = 0; i < n; i += PTE_MASK_ENTRIES)
		set_some(table->bits, first + i, pte_masks(entries + i, n - i).counted);
}

/* ---- counting ------------------------------------------------------------------------------- */

/* The first table of the process that ends behind an address. */
static size_t find_table(const struct presence *p, const struct presence_process *of, uint64_t addr)
{
	size_t from = of->first, to = of->first + of->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (p->tables[middle].addr + TABLE_BYTES <= addr)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static uint64_t count_bits(const uint64_t *bits, size_t first, size_t last)
{
	uint64_t pages = 0;

	for (size_t i = first; i < last;) {
		size_t word = i / 64, stop = (word + 1) * 64 < last ? (word + 1) * 64 : last;

		uint64_t wanted = mask(i % 64, (unsigned int)(stop - word * 64));
		uint64_t there = bits[word] & wanted;

		/* Mostly all or nothing, where nothing need be counted. */
		if (there == wanted)
			pages += stop - i;
		else if (there)
			pages += (unsigned int)__builtin_popcountll(there);
		i = stop;
	}
	return pages;
}

bool presence_look(const struct presence *presence, uint32_t process, uint64_t addr,
		   struct presence_cursor *ret_cursor)
{
	struct presence_process now = { process, presence->first,
					presence->count - presence->first };
	const struct presence_process *of = &now;
	uint32_t at;

	if (process != presence->process) {
		at = u64map_get(&presence->by_process, process);
		if (at == U64MAP_NONE)
			return false;
		of = &presence->processes[at];
	}
	if (presence->error)
		return false;
	*ret_cursor = (struct presence_cursor){
		.at = presence->tables + find_table(presence, of, addr),
		.end = presence->tables + of->first + of->count,
	};
	return true;
}

static bool has_page(const struct presence_table *table, uint64_t offset)
{
	uint64_t page = offset >> PAGE_SHIFT;

	return table->bits[page / 64] >> page % 64 & 1;
}

/* Of one table's pages: offsets of bytes. */
static uint64_t bytes_of(const struct presence_table *table, uint64_t from, uint64_t to)
{
	uint64_t before = from % PAGE_BYTES, behind = -to % PAGE_BYTES;
	uint64_t bytes = count_bits(table->bits, from >> PAGE_SHIFT, (to + behind) >> PAGE_SHIFT)
			 << PAGE_SHIFT;

	if (before && has_page(table, from))
		bytes -= before;
	if (behind && has_page(table, to))
		bytes -= behind;
	return bytes;
}

uint64_t presence_bytes(struct presence_cursor *cursor, uint64_t start, uint64_t end)
{
	uint64_t bytes = 0;

	while (cursor->at < cursor->end && cursor->at->addr + TABLE_BYTES <= start)
		cursor->at++;
	for (const struct presence_table *table = cursor->at;
	     table < cursor->end && table->addr < end; table++)
		bytes +=
			bytes_of(table, start > table->addr ? start - table->addr : 0,
				 end - table->addr < TABLE_BYTES ? end - table->addr : TABLE_BYTES);
	return bytes;
}
