// SPDX-License-Identifier: MIT
/*
 * Sharing sets against mapper lists: {who maps -> how many pages} must be the same on both sides.
 * Members that are not of the world are left out of both, as they cannot be known here.
 */
#include "compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many pages with the same mappers. Who they are is in the sum of their hashes, in any order. */
struct line {
	uint64_t members;
	enum truth_kind kind;
	int64_t pages;
	uint32_t page;   /* of the truth, one of them; or TRUTH_NONE */
	uint32_t set;    /* of the snapshot, one of them; or MEMOIR_NONE */
	uint32_t region; /* of the truth, where it is alone; or TRUTH_NONE */
};

struct lines {
	struct line *items;
	size_t count, room;
};

static uint64_t hash_of(uint32_t region)
{
	uint64_t z = (region + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void add(struct lines *lines, const struct line *line)
{
	if (!line->pages || !line->members)
		return;
	lines->items = truth_grow(lines->items, &lines->room, lines->count + 1, sizeof(*line));
	lines->items[lines->count++] = *line;
}

static int by_members(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->members < b->members ? -1 : a->members > b->members;
}

static void merge(struct lines *lines)
{
	size_t kept = 0;

	if (!lines->count)
		return;
	qsort(lines->items, lines->count, sizeof(*lines->items), by_members);
	for (size_t i = 0; i < lines->count; i++) {
		if (kept && by_members(&lines->items[kept - 1], &lines->items[i]) == 0)
			lines->items[kept - 1].pages += lines->items[i].pages;
		else
			lines->items[kept++] = lines->items[i];
	}
	lines->count = kept;
}

/* ---- two sources ---------------------------------------------------------------------------- */

static void list_truth(const struct look *look, struct lines *lines)
{
	for (size_t i = 0; i < look->truth->page_count; i++) {
		const struct truth_page *page = &look->truth->pages[i];
		struct line line = {
			.kind = truth_kind_of(page->key),
			.pages = 1,
			.page = (uint32_t)i,
			.set = MEMOIR_NONE,
			.region = TRUTH_NONE,
		};

		for (uint32_t k = 0; k < page->count; k++)
			line.members += hash_of(look->truth->mappings[page->first + k].region);
		add(lines, &line);
	}
}

static int64_t pages_of(uint64_t bytes)
{
	return (int64_t)(bytes / TRUTH_PAGE_BYTES);
}

/* Also sums up what sets of one member have of each region: that is part of its uss. */
static int list_sets(const struct look *look, struct lines *lines, uint64_t *single_bytes)
{
	size_t count = memoir_snapshot_set_count(look->snapshot);
	uint64_t *members = calloc(count + 1, sizeof(*members));

	if (!members)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct memoir_set *set = memoir_snapshot_set(look->snapshot, i);
		uint32_t own = look->own_region[set->region];
		struct line line = { .page = TRUTH_NONE, .set = (uint32_t)i, .region = TRUTH_NONE };

		members[i] = (set->parent == MEMOIR_NONE ? 0 : members[set->parent]) +
			     (own == TRUTH_NONE ? 0 : hash_of(own));
		line.members = members[i];
		line.kind = set->of_object ? TRUTH_OBJECT : TRUTH_ANON;
		line.pages = pages_of(set->ram_bytes);
		add(lines, &line);
		line.kind = TRUTH_SWAP;
		line.pages = pages_of(set->swap_bytes);
		add(lines, &line);
		if (set->members == 1)
			single_bytes[set->region] += set->ram_bytes;
	}
	free(members);
	return 0;
}

/* What is in no set. */
static void list_own(const struct look *look, struct lines *lines, const uint64_t *single_bytes)
{
	size_t count = memoir_snapshot_region_count(look->snapshot);

	for (size_t i = 0; i < count; i++) {
		const struct memoir_region *region = memoir_snapshot_region(look->snapshot, i);
		uint32_t own = look->own_region[i];
		struct line line = { .page = TRUTH_NONE, .set = MEMOIR_NONE, .region = own };

		if (own == TRUTH_NONE)
			continue;
		line.members = hash_of(own);
		line.kind = TRUTH_ANON;
		line.pages = pages_of(region->own_anon_bytes);
		add(lines, &line);
		line.kind = TRUTH_SWAP;
		line.pages = pages_of(region->own_swap_bytes);
		add(lines, &line);
		line.kind = TRUTH_OBJECT;
		line.pages = pages_of(region->figures.bytes[MEMOIR_USS]) -
			     pages_of(region->own_anon_bytes) - pages_of(single_bytes[i]);
		add(lines, &line);
	}
}

static int list_snapshot(const struct look *look, struct lines *lines)
{
	size_t count = memoir_snapshot_region_count(look->snapshot);
	uint64_t *single_bytes = calloc(count + 1, sizeof(*single_bytes));
	int err = single_bytes ? list_sets(look, lines, single_bytes) : -1;

	if (!err)
		list_own(look, lines, single_bytes);
	free(single_bytes);
	return err;
}

/* ---- the comparison ------------------------------------------------------------------------- */

static void print_members(const struct look *look, const struct line *line)
{
	if (line->page != TRUTH_NONE) {
		const struct truth_page *page = &look->truth->pages[line->page];

		for (uint32_t k = 0; k < page->count && k < 8; k++)
			print_region(look, look->truth->mappings[page->first + k].region);
	}
	for (uint32_t i = line->set; i != MEMOIR_NONE;) {
		const struct memoir_set *set = memoir_snapshot_set(look->snapshot, i);

		if (look->own_region[set->region] != TRUTH_NONE)
			print_region(look, look->own_region[set->region]);
		i = set->parent;
	}
	if (line->region != TRUTH_NONE)
		print_region(look, line->region);
}

static void tell(const struct look *look, size_t *bad, const struct line *line, int64_t true_pages,
		 int64_t said_pages)
{
	static const char *const kinds[] = { "anonymous", "of an object", "swapped" };

	differ(bad, "%" PRId64 " pages %s, memoir says %" PRId64 ", mapped by\n", true_pages,
	       kinds[line->kind], said_pages);
	if (*bad <= 4)
		print_members(look, line);
}

static size_t compare_lines(const struct look *look, const struct lines *truth,
			    const struct lines *said)
{
	size_t t = 0, s = 0, bad = 0;

	while (t < truth->count || s < said->count) {
		const struct line *a = &truth->items[t], *b = &said->items[s];
		int order = t == truth->count ? 1 : s == said->count ? -1 : by_members(a, b);

		if (order < 0)
			tell(look, &bad, a, a->pages, 0);
		else if (order > 0)
			tell(look, &bad, b, 0, b->pages);
		else if (a->pages != b->pages)
			tell(look, &bad, a, a->pages, b->pages);
		t += order <= 0;
		s += order >= 0;
	}
	return bad;
}

size_t compare_sets(const struct look *look)
{
	struct lines truth = { 0 }, said = { 0 };
	size_t bad = 1;

	list_truth(look, &truth);
	if (list_snapshot(look, &said) == 0) {
		merge(&truth);
		merge(&said);
		bad = compare_lines(look, &truth, &said);
	}
	free(truth.items);
	free(said.items);
	return bad;
}
