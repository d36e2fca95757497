// SPDX-License-Identifier: MIT
/*
 * Puts a range between others: cuts what it is over, and joins neighbours of one name.
 */
#include "names/tree.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void put(struct splice *splice, uint64_t start, uint64_t end, uint32_t name)
{
	struct span *last = splice->out + splice->count - (splice->count ? 1 : 0);

	if (!name || start >= end)
		return;
	if (splice->count && last->end == start && last->name == name)
		last->end = end;
	else if (splice->count < splice->room)
		splice->out[splice->count++] = (struct span){ start, end, name };
}

static void give(struct splice *splice)
{
	if (!splice->given)
		put(splice, splice->range.start, splice->range.end, splice->range.name);
	splice->given = true;
}

void splice_add(struct splice *splice, const struct name_entry *entry)
{
	uint64_t start = entry->start, end = name_entry_end(entry);
	uint32_t name = name_entry_name(entry);

	if (start < splice->range.start)
		put(splice, start, earlier(end, splice->range.start), name);
	if (end > splice->range.start)
		give(splice);
	if (end > splice->range.end)
		put(splice, later(start, splice->range.end), end, name);
}

void splice_end(struct splice *splice)
{
	give(splice);
}

uint32_t spans_encode(const struct span *spans, uint32_t count, struct name_entry *entries)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t start = spans[i].start, length = spans[i].end - start;

		if (length >= NAME_LENGTH_PAGES) {
			uint64_t pages = length >> 12;

			entries[n++] =
				(struct name_entry){ start, (pages | NAME_LENGTH_PAGES) << 24 |
								    spans[i].name };
			start += pages << 12;
			length -= pages << 12;
		}
		if (length)
			entries[n++] = (struct name_entry){ start, length << 24 | spans[i].name };
	}
	return n;
}
