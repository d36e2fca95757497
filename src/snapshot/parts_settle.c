// SPDX-License-Identifier: MIT
/*
 * Parts of regions put where they belong, when all else that goes by a region's index is settled, and pages
 * of several names divided among them.
 *
 * Such a page is a part of its own at first. When its figures are known each is divided, by bytes: so parts
 * add up to what the region had, and names to what they cover.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/grow.h"
#include "kernel/own_memory.h"
#include "snapshot/parts.h"

int parts_add_mixed(struct capture *c, uint32_t at, struct memoir_region *page,
		    const struct named_range *pieces, size_t count, enum memoir_name_source source)
{
	struct name_parts *p = c->parts;
	struct mixed *mixed = grow(p->mixed, &p->mixed_room, p->mixed_count + 1, sizeof(*mixed));
	struct named_range *more =
		grow(p->pieces, &p->piece_room, p->piece_count + count, sizeof(*more));

	if (mixed)
		p->mixed = mixed;
	if (more)
		p->pieces = more;
	if (!mixed || !more || u64map_set(&p->mixed_at, at, (uint32_t)p->mixed_count) < 0)
		return -ENOMEM;
	mixed[p->mixed_count++] = (struct mixed){ p->piece_count, count, source };
	for (size_t i = 0, best = 0; i < count; i++) {
		struct named_range *piece = &more[p->piece_count++];

		*piece = pieces[i];
		piece->start = piece->start > page->start ? piece->start : page->start;
		piece->end = piece->end < page->end ? piece->end : page->end;
		if (piece->end - piece->start > best) {
			best = piece->end - piece->start;
			page->name = piece->name;
		}
	}
	return 0;
}

/* ---- whole regions -------------------------------------------------------------------------- */

void capture_join_parts(struct capture *c)
{
	struct memoir_region *regions = c->snap->regions;

	for (size_t i = 0; c->parts && i < c->parts->count; i++)
		regions[c->parts->parts[i].of].end = regions[c->parts->parts[i].at].end;
}

/* Parts of a region stand one after the other, in order: from the last to the first. */
void capture_part_again(struct capture *c)
{
	struct memoir_region *regions = c->snap->regions;

	for (size_t i = c->parts ? c->parts->count : 0; i-- > 0;) {
		struct memoir_region *whole = &regions[c->parts->parts[i].of];
		struct memoir_region *part = &regions[c->parts->parts[i].at];

		whole->end = part->start;
		if (part->kind == MEMOIR_KIND_ANON && whole->kind != MEMOIR_KIND_GUARD)
			part->kind = whole->kind;
	}
}

/* ---- where they belong ---------------------------------------------------------------------- */

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->of != y->of)
		return x->of < y->of ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* What of a figure of a page falls to the bytes from one offset to another: shares add up to the whole. */
static uint64_t share_of(uint64_t bytes, uint64_t from, uint64_t to)
{
	return bytes * to / PAGE_BYTES - bytes * from / PAGE_BYTES;
}

static struct memoir_region cut_piece(const struct memoir_region *page,
				      const struct named_range *piece,
				      enum memoir_name_source source)
{
	uint64_t from = piece->start - page->start, to = piece->end - page->start;
	struct memoir_region cut = *page;

	cut.start = piece->start;
	cut.end = piece->end;
	cut.name = piece->name;
	cut.name_source = cut.name ? source : MEMOIR_NAME_NONE;
	for (size_t i = 0; i < MEMOIR_FIGURES; i++)
		cut.figures.bytes[i] = share_of(page->figures.bytes[i], from, to);
	cut.own_anon_bytes = share_of(page->own_anon_bytes, from, to);
	cut.own_swap_bytes = share_of(page->own_swap_bytes, from, to);
	return cut;
}

/* Regions in their order, as far as they were put. */
struct row {
	struct memoir_region *regions;
	uint32_t *index;       /* where each went, by what it was before */
	uint32_t count, first; /* the first of the region that was split */
};

/* Neighbours with the same name, or both without one, are one part, as they are in the table. */
static void put(struct row *row, const struct memoir_region *region)
{
	struct memoir_region *last = row->count > row->first ? &row->regions[row->count - 1] : NULL;

	if (!last || last->name != region->name || last->name_source != region->name_source ||
	    last->kind != region->kind) {
		row->regions[row->count++] = *region;
		return;
	}
	last->end = region->end;
	for (size_t i = 0; i < MEMOIR_FIGURES; i++)
		last->figures.bytes[i] += region->figures.bytes[i];
	last->own_anon_bytes += region->own_anon_bytes;
	last->own_swap_bytes += region->own_swap_bytes;
}

/* A part as what it becomes; what goes by its index goes to the one with most of it. */
static void put_part(const struct capture *c, uint32_t at, struct row *row)
{
	const struct name_parts *parts = c->parts;
	const struct memoir_region *part = &c->snap->regions[at];
	uint32_t which = u64map_get(&parts->mixed_at, at);
	const struct mixed *mixed = &parts->mixed[which];
	uint64_t best = 0;

	if (which == U64MAP_NONE) {
		put(row, part);
		row->index[at] = row->count - 1;
		return;
	}
	for (size_t i = 0; i < mixed->count; i++) {
		const struct named_range *piece = &parts->pieces[mixed->first + i];
		struct memoir_region cut = cut_piece(part, piece, mixed->source);

		put(row, &cut);
		if (piece->end - piece->start > best) {
			best = piece->end - piece->start;
			row->index[at] = row->count - 1;
		}
	}
}

static void put_in_order(struct capture *c, struct row *row)
{
	struct name_parts *parts = c->parts;
	size_t part = 0;

	qsort(parts->parts, parts->count, sizeof(*parts->parts), compare_parts);
	for (uint32_t i = 0; i < parts->first; i++) {
		row->first = row->count;
		put_part(c, i, row);
		for (; part < parts->count && parts->parts[part].of == i; part++)
			put_part(c, parts->parts[part].at, row);
	}
}

static void move_sets(struct memoir_snapshot *s, const uint32_t *index)
{
	for (size_t i = 0; i < s->set_count; i++)
		s->sets[i].region = index[s->sets[i].region];
}

static void find_processes(struct memoir_snapshot *s)
{
	for (size_t i = 0; i < s->process_count; i++)
		s->processes[i].region_count = 0;
	for (uint32_t i = 0; i < s->region_count; i++) {
		uint32_t process = s->regions[i].process;

		if (process < s->process_count && s->processes[process].region_count++ == 0)
			s->processes[process].first_region = i;
	}
}

/* What one part has too much for a whole byte goes to the next: together they have what the region had. */
static void carry(uint64_t *from, uint64_t *to)
{
	uint64_t rest = *from & ((1u << PSS_SHIFT) - 1);

	*from -= rest;
	*to += rest;
}

void capture_carry_parts(struct capture *c)
{
	for (size_t i = 0; c->parts && i < c->parts->count; i++) {
		const struct part *part = &c->parts->parts[i];
		bool first = i == 0 || part[-1].of != part->of;
		struct region_count *from = &c->counts[first ? part->of : part[-1].at];
		struct region_count *to = &c->counts[part->at];

		carry(&from->pss_fixed, &to->pss_fixed);
		carry(&from->swap_pss_fixed, &to->swap_pss_fixed);
	}
}

/* Room for the rows that there will be; where counts stood, if that is enough: fresh memory is what costs here. */
static struct memoir_region *room_for(struct capture *c, size_t *count)
{
	struct memoir_region *regions = (void *)c->counts;
	size_t room = c->count_room * sizeof(*c->counts) / sizeof(*regions);

	if (room >= *count) {
		c->counts = NULL;
		c->count_room = 0;
		*count = room;
		return regions;
	}
	regions = malloc(*count * sizeof(*regions));
	if (regions)
		own_memory_huge(regions, *count * sizeof(*regions));
	return regions;
}

int capture_settle_parts(struct capture *c)
{
	struct memoir_snapshot *s = c->snap;
	struct row row = { 0 };
	size_t count;

	if (!c->parts || (!c->parts->count && !c->parts->mixed_count))
		return 0;
	count = s->region_count + c->parts->piece_count - c->parts->mixed_count;
	row.regions = room_for(c, &count);
	row.index = malloc(s->region_count * sizeof(*row.index));
	if (!row.regions || !row.index) {
		free(row.regions);
		free(row.index);
		return -ENOMEM;
	}
	put_in_order(c, &row);
	move_sets(s, row.index);
	free(row.index);
	free(s->regions);
	s->regions = row.regions;
	s->region_count = row.count;
	s->region_room = count;
	find_processes(s);
	return 0;
}
