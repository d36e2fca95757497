// SPDX-License-Identifier: MIT
/*
 * Figures of parts, once those of all pages are known, and what is a region's index from then on.
 *
 * A page that several parts have is divided among them by bytes: so parts add up to what the region had,
 * and names to what they cover.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/grow.h"
#include "kernel/own_memory.h"
#include "snapshot/parts.h"

uint32_t capture_region_of(const struct capture *c, uint32_t index)
{
	size_t regions = c->snap->region_count;

	return index < regions ? index : c->parts->cuts[index - regions].region;
}

size_t capture_index_count(const struct capture *c)
{
	return c->snap->region_count + (c->parts ? c->parts->count : 0);
}

/* ---- figures -------------------------------------------------------------------------------- */

/* What one cut has too much for a whole byte goes to the next: together they have what the region had. */
static void carry(uint64_t *from, uint64_t *to)
{
	uint64_t rest = *from & ((1u << PSS_SHIFT) - 1);

	*from -= rest;
	*to += rest;
}

static void carry_all(struct capture *c)
{
	struct region_count *counts = &c->counts[c->snap->region_count];

	for (size_t i = 1; i < c->parts->count; i++) {
		if (c->parts->cuts[i - 1].region != c->parts->cuts[i].region)
			continue;
		carry(&counts[i - 1].pss_fixed, &counts[i].pss_fixed);
		carry(&counts[i - 1].swap_pss_fixed, &counts[i].swap_pss_fixed);
	}
}

/* Some of the bytes of a cut, from one offset to another. Only single pages are divided. */
struct share {
	uint64_t from, to, all;
};

static const struct share all_of_it = { 0, 1, 1 };

/* Shares add up to the whole. */
static uint64_t share_of(uint64_t bytes, const struct share *share)
{
	if (share->from == 0 && share->to == share->all)
		return bytes;
	return bytes * share->to / share->all - bytes * share->from / share->all;
}

static void add_share(struct memoir_region *row, const struct memoir_region *pages,
		      const struct share *share)
{
	for (size_t i = 0; i < MEMOIR_FIGURES; i++)
		row->figures.bytes[i] += share_of(pages->figures.bytes[i], share);
	row->figures.known |= pages->figures.known;
	row->own_anon_bytes += share_of(pages->own_anon_bytes, share);
	row->own_swap_bytes += share_of(pages->own_swap_bytes, share);
}

/* The parts of a region, as far as their pages were handed out. */
struct handing {
	struct memoir_region *rows;
	uint32_t at, count;
};

/* What of the pages lies in each part; returns the one with most of them. */
static uint32_t hand_out(struct handing *h, const struct memoir_region *pages)
{
	uint32_t best = h->at;
	uint64_t most = 0;

	for (;; h->at++) {
		struct memoir_region *row = &h->rows[h->at];
		uint64_t from = row->start > pages->start ? row->start : pages->start;
		uint64_t to = row->end < pages->end ? row->end : pages->end;

		add_share(row, pages,
			  &(struct share){ from - pages->start, to - pages->start,
					   pages->end - pages->start });
		if (to - from > most) {
			most = to - from;
			best = h->at;
		}
		if (row->end >= pages->end)
			break;
	}
	h->at += h->rows[h->at].end == pages->end && h->at + 1 < h->count;
	return best;
}

/* The cuts of one region, the first of which this is; returns the first of the next. */
static size_t settle_cuts(struct capture *c, size_t i, struct handing *h)
{
	struct name_parts *parts = c->parts;
	uint32_t index = parts->cuts[i].region;
	struct memoir_region *whole = &c->snap->regions[index], pages = *whole;

	for (pages.end = pages.start; i < parts->count && parts->cuts[i].region == index; i++) {
		pages.start = pages.end;
		pages.end = parts->cuts[i].end;
		pages.figures = (struct memoir_figures){ 0 };
		pages.own_anon_bytes = pages.own_swap_bytes = 0;
		capture_take_figures(c, &pages, &c->counts[c->snap->region_count + i]);
		parts->cuts[i].part = hand_out(h, &pages);
		add_share(whole, &pages, &all_of_it);
	}
	snapshot_sum_region(c->snap, whole);
	return i;
}

static int compare_splits(const void *a, const void *b)
{
	const struct region_split *x = a, *y = b;

	return x->region < y->region ? -1 : x->region > y->region;
}

static struct region_split *split_of(const struct region_splits *splits, uint32_t region)
{
	const struct region_split key = { .region = region };

	return bsearch(&key, splits->splits, splits->count, sizeof(key), compare_splits);
}

/* Rows of parts whose pages were read again: they may have anything. */
static int settle_rows(struct capture *c)
{
	struct memoir_snapshot *s = c->snap;
	struct memoir_region *rows;
	size_t count = 0, room = 0;

	for (size_t i = 0; i < c->parts->count;) {
		struct region_split *split = split_of(&s->splits, c->parts->cuts[i].region);
		struct handing h = { .count = split->count };

		rows = grow(s->splits.rows, &room, count + split->count, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		s->splits.rows = rows;
		split->first_row = (uint32_t)count;
		h.rows = rows + count;
		for (uint32_t k = 0; k < split->count; k++)
			h.rows[k] =
				region_split_part(&s->splits, split, k, &s->regions[split->region]);
		count += split->count;
		i = settle_cuts(c, i, &h);
	}
	return 0;
}

/* ---- indices -------------------------------------------------------------------------------- */

/* For each region the index of its first row, and behind them how many rows there are. */
static uint32_t *number_rows(const struct memoir_snapshot *s)
{
	uint32_t *index = malloc((s->region_count + 1) * sizeof(*index)), row = 0;
	const struct region_split *split = s->splits.splits, *end = split + s->splits.count;

	for (uint32_t i = 0; index && i <= s->region_count; i++) {
		index[i] = row;
		row += split < end && split->region == i ? split++->count : 1;
	}
	return index;
}

static void move_processes(struct memoir_snapshot *s, const uint32_t *index)
{
	for (size_t i = 0; i < s->process_count; i++) {
		struct memoir_process *p = &s->processes[i];
		uint32_t end = p->first_region + p->region_count;

		p->first_region = index[p->first_region];
		p->region_count = index[end] - p->first_region;
	}
}

static void move_sets(struct capture *c, const uint32_t *index)
{
	for (size_t i = 0; i < c->snap->set_count; i++) {
		uint32_t *region = &c->snap->sets[i].region;
		const struct cut *cut = *region < c->snap->region_count
						? NULL
						: &c->parts->cuts[*region - c->snap->region_count];

		*region = cut ? index[cut->region] + cut->part : index[*region];
	}
}

static int make_room(struct memoir_snapshot *s, size_t rows)
{
	size_t room = s->region_room;
	struct memoir_region *regions = grow(s->regions, &s->region_room, rows, sizeof(*regions));

	if (!regions || rows >= MEMOIR_NONE)
		return -ENOMEM;
	s->regions = regions;
	if (room != s->region_room)
		own_memory_huge(regions, rows * sizeof(*regions));
	return 0;
}

int capture_settle_parts(struct capture *c)
{
	struct region_splits *splits = &c->snap->splits;
	int err = 0;

	if (!splits->count)
		return 0;
	qsort(splits->splits, splits->count, sizeof(*splits->splits), compare_splits);
	if (c->parts) {
		carry_all(c);
		err = settle_rows(c);
	}
	return err;
}

int capture_number_parts(struct capture *c)
{
	struct memoir_snapshot *s = c->snap;
	uint32_t *index;
	int err;

	if (!s->splits.count)
		return 0;
	index = number_rows(s);
	if (!index)
		return -ENOMEM;
	err = make_room(s, index[s->region_count]);
	if (!err) {
		move_processes(s, index);
		move_sets(c, index);
		s->splits.regions = s->region_count;
		s->region_count = index[s->region_count];
	}
	free(index);
	return err;
}
