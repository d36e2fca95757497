// SPDX-License-Identifier: MIT
/*
 * Regions of anonymous memory split into parts, after their pages were counted. Where the pages are all the
 * region's own, bits tell which part has which; else they are read again, and each goes from the region to
 * its part, in the tally too. Knows nothing of tables.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/grow.h"
#include "kernel/pagemap.h"
#include "snapshot/parts.h"

#define RUNS 64

static const struct region_part *parts_of(const struct capture *c, const struct region_split *split)
{
	return &c->snap->captured.splits.parts[split->first];
}

static uint64_t part_end(const struct capture *c, const struct region_split *split, uint32_t i)
{
	return i + 1 < split->count ? parts_of(c, split)[i + 1].start
				    : capture_region(c, split->region)->end;
}

/* ---- own pages ------------------------------------------------------------------------------ */

/* Whether the walk kept which of the region's pages there are, and they are all that it has. */
static bool goes_by_presence(const struct region *whole)
{
	return whole->by_presence && whole->rss == whole->alone && !whole->swap && !whole->thp &&
	       !whole->smaps_thp;
}

/* False where the process turned out to have no table of its own: then it was not kept. */
static bool count_by_presence(struct capture *c, const struct region_split *split)
{
	const struct region *region = capture_region(c, split->region);
	struct region_part *parts = &c->snap->captured.splits.parts[split->first];
	struct presence_cursor cursor;

	if (!goes_by_presence(region) ||
	    !presence_look(&c->presence, region->process, region->start, &cursor))
		return false;
	for (uint32_t i = 0; i < split->count; i++)
		parts[i].own_bytes = presence_bytes(&cursor, parts[i].start, part_end(c, split, i));
	return true;
}

/* ---- pages read again ----------------------------------------------------------------------- */

static void recount_word(struct capture *c, uint32_t region, uint32_t cut, uint64_t word)
{
	struct u64map *moved = &c->parts->moved;
	struct region *count = capture_region(c, cut);
	uint64_t key = pagemap_frame(word);

	if (pagemap_present(word)) {
		if (word & PAGEMAP_BIT_FILE || key == c->zero_frame)
			return;
		if (tally_move(&c->tally, TALLY_FRAME | key, region, cut, moved)) {
			region_add(&count->rss, 1);
			region_add(&count->anon, 1);
		} else {
			count_alone(count, 1, true);
		}
	} else if (pagemap_swapped(word)) {
		region_add(&count->swap, 1);
		if (!tally_move(&c->tally, TALLY_SWAP | key, region, cut, moved))
			region_add(&count->swap_alone, 1);
	} else if (pagemap_migrating(word)) {
		count_alone(count, 1, true);
	}
}

/* The cut that has this address of the region. Addresses come in order. */
static const struct cut *cut_at(struct name_parts *parts, uint64_t addr)
{
	while (parts->cuts[parts->at].end <= addr)
		parts->at++;
	return &parts->cuts[parts->at];
}

static uint32_t index_of_cut(const struct capture *c, size_t cut)
{
	return (uint32_t)(c->snap->captured.count + cut);
}

static void recount(struct capture *c, uint32_t region, uint64_t addr, const uint64_t *words,
		    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!words[i])
			continue;
		cut_at(c->parts, addr + i * PAGE_BYTES);
		recount_word(c, region, index_of_cut(c, c->parts->at), words[i]);
	}
}

static void count_thp_run(struct capture *c, const struct pagemap_run *run)
{
	for (uint64_t at = run->start; at < run->end;) {
		uint64_t end = cut_at(c->parts, at)->end;

		end = end < run->end ? end : run->end;
		region_add(&capture_region(c, index_of_cut(c, c->parts->at))->thp,
			   (end - at) / PAGE_BYTES);
		at = end;
	}
}

/* Words don't say which pages one entry maps as a whole. */
static int count_thp(struct capture *c, const struct region *region)
{
	const uint64_t wanted = PAGEMAP_RUN_HUGE | PAGEMAP_RUN_PRESENT;
	struct pagemap_run runs[RUNS];
	uint64_t at = region->start;

	while (at < region->end) {
		uint64_t walked = at;
		ssize_t got = pagemap_scan(c->parts->pagemap_fd, at, region->end, false, runs, RUNS,
					   &walked);

		if (got < 0 || walked <= at)
			return -EOPNOTSUPP;
		for (ssize_t i = 0; i < got; i++)
			if ((runs[i].categories & (wanted | PAGEMAP_RUN_ZERO)) == wanted)
				count_thp_run(c, &runs[i]);
		at = walked;
	}
	return 0;
}

/* Count the region's pages by cut, while it is still there as a whole; says whether that is exact. */
static enum region_doubt count_cuts(struct capture *c, uint32_t region)
{
	struct name_parts *parts = c->parts;
	const struct region *whole = capture_region(c, region);
	size_t first = parts->at;

	u64map_free(&parts->moved);
	if ((whole->rss || whole->swap) &&
	    capture_words_by(c, parts->pagemap_fd, region, parts->words, recount) < 0)
		return REGION_SPLIT_LATE;
	parts->at = first;
	if ((whole->thp || whole->smaps_thp) && count_thp(c, capture_region(c, region)) < 0)
		return REGION_THP_UNSPLIT;
	return REGION_EXACT;
}

/* ---- cuts ----------------------------------------------------------------------------------- */

static int open_pages(struct capture *c, uint32_t process)
{
	struct name_parts *parts = c->parts;

	if (parts->pagemap_fd >= 0 && parts->process == process)
		return 0;
	if (parts->pagemap_fd >= 0)
		close(parts->pagemap_fd);
	parts->pagemap_fd = capture_open_pagemap(c, process);
	parts->process = process;
	return parts->pagemap_fd < 0 ? -EOPNOTSUPP : 0;
}

static int begin(struct capture *c, uint32_t process)
{
	if (!c->parts) {
		c->parts = calloc(1, sizeof(*c->parts));
		if (!c->parts)
			return -ENOMEM;
		c->parts->pagemap_fd = -1;
		c->parts->words = malloc(WORDS_ROOM * sizeof(*c->parts->words));
		if (!c->parts->words)
			return -ENOMEM;
	}
	return open_pages(c, process);
}

/* Counted as the region was: nothing yet. */
static struct region empty_like(const struct region *whole)
{
	return (struct region){
		.process = MEMOIR_NONE,
		.object = whole->object,
		.family = whole->family,
		.flags = whole->flags,
		.kind = whole->kind,
		.anon_alone = whole->anon_alone,
		.has_anon = whole->has_anon,
		.empty = whole->empty,
	};
}

static int add_cut(struct capture *c, uint32_t region, uint64_t end)
{
	struct name_parts *parts = c->parts;
	size_t i = c->snap->captured.count + parts->count;
	struct captured *captured = &c->snap->captured;
	struct region *regions = grow(captured->regions, &captured->room, i + 1, sizeof(*regions));
	struct cut *cuts = grow(parts->cuts, &parts->room, parts->count + 1, sizeof(*cuts));

	if (regions)
		captured->regions = regions;
	if (cuts)
		parts->cuts = cuts;
	if (!regions || !cuts || i >= MEMOIR_NONE)
		return -ENOMEM;
	regions[i] = empty_like(&regions[region]);
	cuts[parts->count++] = (struct cut){ .region = region, .end = end };
	return 0;
}

/* The whole pages of each part; where it has none of the next page, that page, of which others have parts too. */
static int cut(struct capture *c, const struct region_split *split)
{
	const uint64_t region_end = capture_region(c, split->region)->end;
	uint64_t at = capture_region(c, split->region)->start;
	uint32_t i = 0;
	int err = 0;

	while (at < region_end && !err) {
		uint64_t end = part_end(c, split, i) & ~(PAGE_BYTES - 1);

		at = end > at ? end : at + PAGE_BYTES;
		err = add_cut(c, split->region, at);
		while (i + 1 < split->count && parts_of(c, split)[i + 1].start <= at)
			i++;
	}
	return err;
}

static int count_again(struct capture *c, const struct region_split *split)
{
	int err = begin(c, capture_region(c, split->region)->process);
	enum region_doubt doubt;
	struct region *region;

	if (err)
		return err;
	c->parts->at = c->parts->count;
	err = cut(c, split);
	if (err)
		return err;
	doubt = count_cuts(c, split->region);
	region = capture_region(c, split->region);
	region->is_cut = true;
	region->smaps_thp = false;
	if (doubt)
		region->doubt = doubt;
	return c->tally.error;
}

int capture_split(struct capture *c, uint32_t region, uint32_t first_part, uint8_t source)
{
	struct region_splits *s = &c->snap->captured.splits;
	struct region_split *splits = grow(s->splits, &s->room, s->count + 1, sizeof(*splits));
	struct region_split split = {
		.region = region,
		.first = first_part,
		.count = (uint32_t)s->part_count - first_part,
		.first_row = MEMOIR_NONE,
		.source = source,
	};

	if (!splits)
		return -ENOMEM;
	s->splits = splits;
	split.uncounted = !count_by_presence(c, &split);
	splits[s->count++] = split;
	return 0;
}

int capture_count_splits(struct capture *c, size_t *unsplit)
{
	struct region_splits *s = &c->snap->captured.splits;
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < s->count && (!err || err == -EOPNOTSUPP); i++) {
		struct region_split *split = &s->splits[i];

		err = split->uncounted ? count_again(c, split) : 0;
		if (err == -EOPNOTSUPP)
			++*unsplit;
		else
			s->splits[kept++] = *split;
	}
	s->count = kept;
	return err == -EOPNOTSUPP ? 0 : err;
}

void capture_parts_free(struct capture *c)
{
	if (!c->parts)
		return;
	if (c->parts->pagemap_fd >= 0)
		close(c->parts->pagemap_fd);
	u64map_free(&c->parts->moved);
	free(c->parts->words);
	free(c->parts->cuts);
	free(c->parts);
	c->parts = NULL;
}
