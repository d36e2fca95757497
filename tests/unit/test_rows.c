// SPDX-License-Identifier: MIT
/*
 * Captured regions and their parts become rows at the first look: random splits against a list made one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "snapshot/model.h"

#define REGIONS_MAX 60u
#define MANY_REGIONS 40000u
#define PARTS_MAX 9u
#define PAGE 4096ull

static const char *const names[] = { NULL, "a", "b" };

struct world {
	struct memoir_snapshot *s;
	struct memoir_region rows[REGIONS_MAX * PARTS_MAX]; /* as they are to be */
	size_t row_count;
};

/* As a region is to look once it is a row. */
static void expect(struct memoir_region *row, const struct region *region)
{
	*row = (struct memoir_region){
		.start = region->start,
		.end = region->end,
		.process = region->process,
		.object = MEMOIR_NONE,
		.family = region->family,
		.exact = true,
		.figures.known = (1u << MEMOIR_FIGURES) - 1,
	};
	memcpy(row->perms, region->flags ? "rw-p" : "---p", sizeof("rw-p"));
}

static void expect_pages(struct memoir_region *row, const struct region *region)
{
	row->figures.bytes[MEMOIR_RSS] = row->figures.bytes[MEMOIR_ANON] = region->rss * PAGE;
	row->figures.bytes[MEMOIR_SHARED] = (region->rss - region->uss) * PAGE;
	row->figures.bytes[MEMOIR_USS] = region->uss * PAGE;
	row->figures.bytes[MEMOIR_PSS] = region->pss_fixed >> PSS_SHIFT;
	row->figures.bytes[MEMOIR_SWAP] = region->swap * PAGE;
	row->figures.bytes[MEMOIR_SWAP_PSS] = region->swap_alone * PAGE;
	row->own_swap_bytes = region->swap_alone * PAGE;
}

static struct memoir_region *add_row(struct world *w, const struct region *whole,
				     const struct region_part *part, uint64_t end)
{
	struct memoir_region *row = &w->rows[w->row_count++];

	expect(row, whole);
	if (!part) {
		expect_pages(row, whole);
		return row;
	}
	row->start = part->start;
	row->end = end;
	row->name = part->name;
	row->name_source = part->name ? MEMOIR_NAME_TABLE : MEMOIR_NAME_NONE;
	return row;
}

/* Parts with pages of their own, and for every other region with rows. */
static void split(struct world *w, uint32_t index)
{
	struct region_splits *s = &w->s->captured.splits;
	const struct region *whole = &w->s->captured.regions[index];
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

static struct region random_region(uint32_t i)
{
	uint32_t pages = (uint32_t)rand() % 4;

	return (struct region){
		.start = (i + 1ull) * 16 * PAGE,
		.end = (i + 1ull) * 16 * PAGE + 4 * PAGE,
		.process = 0,
		.object = MEMOIR_NONE,
		.family = i,
		.flags = rand() % 2 ? VM_READ | VM_WRITE : 0,
		.rss = pages,
		.anon = pages,
		.uss = pages / 2,
		.pss_fixed = (uint64_t)rand() % (4 * PAGE) << PSS_SHIFT,
		.swap = pages / 3,
		.swap_alone = pages / 3,
	};
}

static void make_captured(struct memoir_snapshot *s, uint32_t regions)
{
	struct captured *captured = &s->captured;
	struct memoir_process *process = snapshot_add_process(s);

	process->in_scope = process->readable = true;
	captured->regions = calloc(regions, sizeof(*captured->regions));
	captured->count = regions;
	captured->threads = 3;
	captured->counted = captured->rows_left = true;
	for (uint32_t i = 0; i < regions; i++)
		captured->regions[i] = random_region(i);
}

static void make_world(struct world *w)
{
	uint32_t regions = 1 + (uint32_t)rand() % REGIONS_MAX;
	struct memoir_snapshot *s = w->s = snapshot_new();
	struct captured *captured = &s->captured;

	w->row_count = 0;
	make_captured(s, regions);
	captured->splits.splits = calloc(REGIONS_MAX, sizeof(*captured->splits.splits));
	captured->splits.parts =
		calloc((size_t)REGIONS_MAX * PARTS_MAX, sizeof(*captured->splits.parts));
	captured->splits.rows =
		calloc((size_t)REGIONS_MAX * PARTS_MAX, sizeof(*captured->splits.rows));
	captured->row_of = calloc(regions + 1, sizeof(*captured->row_of));
	for (uint32_t i = 0; i < regions; i++) {
		captured->row_of[i] = (uint32_t)w->row_count;
		if (rand() % 3)
			add_row(w, &captured->regions[i], NULL, 0);
		else
			split(w, i);
	}
	s->region_count = w->row_count;
	s->regions = calloc(w->row_count, sizeof(*s->regions));
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

/* Enough for several threads. */
static void many_become_rows(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_region row;

	(void)state;
	make_captured(s, MANY_REGIONS);
	s->region_count = MANY_REGIONS;
	s->regions = calloc(MANY_REGIONS, sizeof(*s->regions));
	for (size_t i = MANY_REGIONS; i-- > 0;) {
		expect(&row, &s->captured.regions[i]);
		expect_pages(&row, &s->captured.regions[i]);
		assert_memory_equal(memoir_snapshot_region(s, i), &row, sizeof(row));
	}
	memoir_snapshot_free(s);
}

static void what_is_not_known_is_not_told(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	const struct memoir_region *row;

	(void)state;
	make_captured(s, 3);
	s->region_count = 3;
	s->regions = calloc(3, sizeof(*s->regions));
	s->processes[snapshot_add_process(s) - s->processes].readable = true;
	s->captured.regions[0].process = 1; /* nobody asked for it */
	s->captured.regions[1].doubt = REGION_SWAP_UNKNOWN;
	region_add(&s->captured.regions[2].rss, UINT64_C(1) << 40);
	row = memoir_snapshot_region(s, 0);
	assert_int_equal(row->figures.known, 0);
	assert_int_equal(row->figures.bytes[MEMOIR_RSS], 0);
	assert_int_equal(row->own_swap_bytes, 0);
	assert_false(row[1].exact);
	assert_non_null(strstr(row[1].inexact_why, "smaps was not readable"));
	assert_true(row[1].figures.known);
	assert_false(row[2].exact);
	assert_non_null(strstr(row[2].inexact_why, "16 TiB"));
	assert_int_equal(row[2].figures.bytes[MEMOIR_RSS], UINT32_MAX * PAGE);
	memoir_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_become_rows),
		cmocka_unit_test(what_is_not_known_is_not_told),
		cmocka_unit_test(parts_stand_where_their_region_stood),
		cmocka_unit_test(what_nobody_looks_at_is_freed_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
