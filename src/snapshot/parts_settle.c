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
#include "snapshot/parts.h"

uint32_t capture_region_of(const struct capture *c, uint32_t index)
{
	size_t regions = c->snap->captured.count;

	return index < regions ? index : c->parts->cuts[index - regions].region;
}

size_t capture_index_count(const struct capture *c)
{
	return c->snap->captured.count + (c->parts ? c->parts->count : 0);
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
	struct region *cuts = capture_region(c, c->snap->captured.count);

	for (size_t i = 1; i < c->parts->count; i++) {
		if (c->parts->cuts[i - 1].region != c->parts->cuts[i].region)
			continue;
		carry(&cuts[i - 1].pss_fixed, &cuts[i].pss_fixed);
		carry(&cuts[i - 1].swap_pss_fixed, &cuts[i].swap_pss_fixed);
	}
}

/* Some of the bytes of a cut, from one offset to another. Only single pages are divided. */
struct share {
	uint64_t from, to, all;
};

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
	const struct region *whole = capture_region(c, index);
	struct memoir_process *process = &c->snap->processes[whole->process];
	struct memoir_region pages = captured_row(whole);

	for (pages.end = pages.start; i < parts->count && parts->cuts[i].region == index; i++) {
		struct region *cut = capture_region(c, c->snap->captured.count + i);

		/* Not before: processes are numbered anew when some have vanished. */
		cut->process = whole->process;
		pages.start = pages.end;
		pages.end = parts->cuts[i].end;
		pages.figures = capture_take_figures(c, cut);
		pages.own_anon_bytes = pages.figures.known ? cut->alone_anon * PAGE_BYTES : 0;
		pages.own_swap_bytes = pages.figures.known ? cut->swap_alone * PAGE_BYTES : 0;
		parts->cuts[i].part = hand_out(h, &pages);
		figures_add(&process->figures, &pages.figures);
	}
	return i;
}

/* Rows of parts whose pages were read again: they may have anything. */
static int settle_rows(struct capture *c)
{
	struct captured *captured = &c->snap->captured;
	struct memoir_region *rows;
	size_t count = 0, room = 0;

	for (size_t i = 0; i < c->parts->count;) {
		struct region_split *split = captured_split(captured, c->parts->cuts[i].region);
		struct handing h = { .count = split->count };

		rows = grow(captured->splits.rows, &room, count + split->count, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		captured->splits.rows = rows;
		split->first_row = (uint32_t)count;
		h.rows = rows + count;
		for (uint32_t k = 0; k < split->count; k++)
			h.rows[k] = captured_part(captured, split, k);
		count += split->count;
		i = settle_cuts(c, i, &h);
	}
	return 0;
}

/* ---- indices -------------------------------------------------------------------------------- */

/* For each region the index of its first row, and behind them how many rows there are. */
static uint32_t *number_rows(const struct captured *captured)
{
	uint32_t *index = malloc((captured->count + 1) * sizeof(*index)), row = 0;
	const struct region_splits *splits = &captured->splits;
	const struct region_split *split = splits->splits, *end = split + splits->count;

	for (size_t i = 0; index && i <= captured->count; i++) {
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
		const struct cut *cut =
			*region < c->snap->captured.count
				? NULL
				: &c->parts->cuts[*region - c->snap->captured.count];

		*region = cut ? index[cut->region] + cut->part : index[*region];
	}
}

int capture_settle_parts(struct capture *c)
{
	captured_sort_splits(&c->snap->captured);
	if (!c->parts)
		return 0;
	carry_all(c);
	return settle_rows(c);
}

int capture_number_parts(struct capture *c, size_t *ret_rows)
{
	struct captured *captured = &c->snap->captured;
	uint32_t *index;

	if (!captured->splits.count) {
		*ret_rows = captured->count;
		return 0;
	}
	index = captured->row_of = number_rows(captured);
	if (!index)
		return -ENOMEM;
	move_processes(c->snap, index);
	move_sets(c, index);
	*ret_rows = index[captured->count];
	return 0;
}
