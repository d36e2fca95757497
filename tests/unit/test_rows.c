// SPDX-License-Identifier: MIT
/*
 * Parts of regions become regions in their place at the first look: random splits against a list made one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/grow.h"
#include "snapshot/model.h"

#define REGIONS_MAX 60u
#define PARTS_MAX 9u
#define PAGE 4096ull

static const char *const names[] = { NULL, "a", "b" };

struct world {
	struct memoir_snapshot *s;
	struct memoir_region rows[REGIONS_MAX * PARTS_MAX]; /* as they are to be */
	size_t row_count;
};

static struct memoir_region *add_row(struct world *w, const struct memoir_region *whole,
				     const struct region_part *part, uint64_t end)
{
	struct memoir_region *row = &w->rows[w->row_count++];

	*row = *whole;
	if (!part)
		return row;
	row->start = part->start;
	row->end = end;
	row->name = part->name;
	row->name_source = part->name ? MEMOIR_NAME_TABLE : MEMOIR_NAME_NONE;
	return row;
}

/* Parts with pages of their own, and for every other region with rows. */
static void split(struct world *w, uint32_t index)
{
	struct region_splits *s = &w->s->splits;
	const struct memoir_region *whole = &w->s->regions[index];
	uint32_t count = 2 + (uint32_t)rand() % (PARTS_MAX - 1);
	struct region_split *added = &s->splits[s->count++];

	*added = (struct region_split){ .region = index,
					.first = (uint32_t)s->part_count,
					.count = count,
					.first_row =
						index % 2 ? (uint32_t)s->part_count : MEMOIR_NONE,
					.source = MEMOIR_NAME_TABLE };
	for (uint32_t i = 0; i < count; i++) {
		struct region_part *part = &s->parts[s->part_count];
		uint64_t bytes = (uint64_t)rand() % 3 * 1000;
		struct memoir_region *row;

		*part = (struct region_part){ whole->start + i * 1000, names[rand() % 3], bytes };
		row = add_row(w, whole, part,
			      i + 1 < count ? whole->start + (i + 1) * 1000ull : whole->end);
		if (index % 2) {
			row->figures.bytes[MEMOIR_SWAP] = bytes;
			s->rows[s->part_count] = *row;
		} else {
			row->own_anon_bytes = bytes;
			row->figures.bytes[MEMOIR_RSS] = row->figures.bytes[MEMOIR_PSS] = bytes;
			row->figures.bytes[MEMOIR_USS] = row->figures.bytes[MEMOIR_ANON] = bytes;
		}
		if (row->perms[0] == '-' && !bytes)
			row->kind = MEMOIR_KIND_GUARD;
		s->part_count++;
	}
}

static void make_world(struct world *w)
{
	uint32_t regions = 1 + (uint32_t)rand() % REGIONS_MAX;
	struct memoir_snapshot *s = w->s = snapshot_new();

	w->row_count = 0;
	s->regions =
		grow(NULL, &s->region_room, (size_t)REGIONS_MAX * PARTS_MAX, sizeof(*s->regions));
	s->splits.splits = calloc(REGIONS_MAX, sizeof(*s->splits.splits));
	s->splits.parts = calloc((size_t)REGIONS_MAX * PARTS_MAX, sizeof(*s->splits.parts));
	s->splits.rows = calloc((size_t)REGIONS_MAX * PARTS_MAX, sizeof(*s->splits.rows));
	for (uint32_t i = 0; i < regions; i++) {
		struct memoir_region *region = snapshot_add_region(s);

		region->start = (i + 1) * 16 * PAGE;
		region->end = region->start + 4 * PAGE;
		region->process = i;
		memcpy(region->perms, rand() % 2 ? "rw-p" : "---p", sizeof("rw-p"));
		if (rand() % 3)
			add_row(w, region, NULL, 0);
		else
			split(w, i);
	}
	s->splits.regions = regions;
	s->region_count = w->row_count;
}

static void parts_stand_where_their_region_stood(void **state)
{
	static struct world w;

	(void)state;
	srand(5);
	for (int times = 0; times < 300; times++) {
		make_world(&w);
		/* From anywhere. */
		memoir_snapshot_region(w.s, (size_t)rand() % w.row_count);
		assert_int_equal(memoir_snapshot_region_count(w.s), w.row_count);
		for (size_t i = 0; i < w.row_count; i++)
			assert_memory_equal(memoir_snapshot_region(w.s, i), &w.rows[i],
					    sizeof(w.rows[i]));
		assert_null(memoir_snapshot_region(w.s, w.row_count));
		memoir_snapshot_free(w.s);
	}
}

static void what_nobody_looks_at_is_freed_all_the_same(void **state)
{
	static struct world w;

	(void)state;
	make_world(&w);
	memoir_snapshot_free(w.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_stand_where_their_region_stood),
		cmocka_unit_test(what_nobody_looks_at_is_freed_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
