// SPDX-License-Identifier: MIT
/*
 * Runs of pages against brute force: mappings, shares and pages mapped, of random mappings; and what threads get that
 * divide them by regions against what one gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "snapshot/capture.h"
#include "snapshot/spans.h"

#define PAGES 1700 /* of more than one chunk */
#define REGIONS 40
#define BASE (2ull << 62 | 7ull << 36 | 500)
#define EACH(mappings) ((4096ull << 12) / (mappings))

struct shares {
	uint64_t fixed[REGIONS], own[REGIONS];
};

static void take_share(uint32_t region, uint64_t pss_fixed, uint64_t own_pages, void *arg)
{
	struct shares *s = arg;

	assert_true(region < REGIONS);
	s->fixed[region] += pss_fixed;
	s->own[region] += own_pages;
}

static uint64_t settle(struct spans *spans, struct shares *s)
{
	uint64_t mapped = 0;

	assert_int_equal(spans_settle(spans), 0);
	spans_shares(spans, take_share, s);
	for (size_t i = 0; i < spans->chunk_count; i++)
		mapped += spans->chunks[i]->mapped;
	return mapped;
}

struct oracle {
	uint32_t maps[REGIONS][PAGES]; /* how often a region maps a page */
};

/* As page tables give them: page by page, now and then many at once; some regions have few of them. */
static void map_at_random(struct oracle *o, struct spans *spans)
{
	for (int turn = 0; turn < 3; turn++)
		for (uint32_t r = 0; r < REGIONS; r++)
			for (uint64_t page = 0; page < PAGES; page++) {
				uint64_t pages = rand() % 40 ? 1 : (uint64_t)rand() % 600 + 1;

				if (rand() % (r % 4 ? 5 : 200))
					continue;
				if (page + pages > PAGES)
					pages = PAGES - page;
				spans_add(spans, r, BASE + page, pages);
				for (uint64_t i = 0; i < pages; i++)
					o->maps[r][page + i]++;
				page += pages - 1;
			}
}

static uint64_t compare(const struct oracle *o, const struct shares *s)
{
	uint64_t mapped = 0;

	for (int r = 0; r < REGIONS; r++) {
		uint64_t fixed = 0, own = 0;

		for (int page = 0; page < PAGES; page++) {
			uint64_t mappings = 0;

			for (int q = 0; q < REGIONS; q++)
				mappings += o->maps[q][page];
			if (o->maps[r][page]) {
				fixed += o->maps[r][page] * EACH(mappings);
				own += mappings == 1;
			}
			mapped += r == 0 && mappings;
		}
		assert_int_equal(s->fixed[r], fixed);
		assert_int_equal(s->own[r], own);
	}
	return mapped;
}

static void random_runs_agree_with_counting_each_page(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 30; seed++) {
		struct oracle *o = calloc(1, sizeof(*o));
		struct spans spans = { 0 };
		struct shares s = { 0 };

		srand(seed);
		map_at_random(o, &spans);
		uint64_t mapped = settle(&spans, &s);

		assert_int_equal(mapped, compare(o, &s));
		spans_free(&spans);
		free(o);
	}
}

/* 128 GiB in one run: more than what is left for the Pss of one chunk's pages. */
static void long_runs_do_not_overflow(void **state)
{
	const uint64_t pages = 1ull << 25;
	struct spans spans = { 0 };
	struct shares s = { 0 };

	(void)state;
	spans_add(&spans, 3, BASE, pages);
	spans_add(&spans, 4, BASE + 1, 1);
	assert_int_equal(settle(&spans, &s), pages);
	assert_int_equal(s.own[3], pages - 1);
	assert_int_equal(s.fixed[3], (pages - 1) * EACH(1) + EACH(2));
	assert_int_equal(s.fixed[4], EACH(2));
	spans_free(&spans);
}

static void what_is_kept_grows_with_runs(void **state)
{
	struct spans spans = { 0 };
	struct shares s = { 0 };

	(void)state;
	for (uint32_t r = 0; r < REGIONS; r++)
		for (uint64_t page = 0; page < 10000; page++)
			spans_add(&spans, r, BASE + page, 1);
	assert_int_equal(settle(&spans, &s), 10000);
	assert_true(spans.run_bytes <= (size_t)REGIONS * 16);
	assert_true(spans.chunk_count <= 10000 / SPANS_CHUNK + 2);
	assert_int_equal(s.fixed[7], 10000 * EACH(REGIONS));
	spans_free(&spans);
}

static void objects_and_offsets_never_meet(void **state)
{
	struct spans spans = { 0 };
	struct shares s = { 0 };

	(void)state;
	spans_add(&spans, 1, BASE, 4);
	spans_add(&spans, 2, BASE + (1ull << 36), 4);
	spans_add(&spans, 3, BASE + 4, 4);
	assert_int_equal(settle(&spans, &s), 12);
	for (int r = 1; r <= 3; r++)
		assert_int_equal(s.own[r], 4);
	spans_free(&spans);
}

/* One ends where the next begins; and they take turns, so that the last run packed is another's. */
static void neighbours_of_two_regions_stay_apart(void **state)
{
	struct spans spans = { 0 };
	struct shares s = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		for (uint32_t r = 0; r < 3; r++)
			spans_add(&spans, r, BASE + 8 * i + r, 1 + r % 2);
	assert_int_equal(settle(&spans, &s), 300);
	assert_int_equal(s.own[0], 100);
	assert_int_equal(s.own[1], 100);
	assert_int_equal(s.own[2], 0);
	assert_int_equal(s.fixed[0], 100 * EACH(1));
	assert_int_equal(s.fixed[1], 100 * (EACH(1) + EACH(2)));
	assert_int_equal(s.fixed[2], 100 * EACH(2));
	spans_free(&spans);
}

static void nothing_gives_nothing(void **state)
{
	struct spans spans = { 0 };
	struct shares s = { 0 };

	(void)state;
	assert_int_equal(settle(&spans, &s), 0);
	assert_int_equal(spans.run_bytes, 0);
	spans_free(&spans);
}

/* ---- divided by regions --------------------------------------------------------------------- */

#define MANY (5 * SPANS_MARK + 77)
#define FILE_PAGES 3000ull

struct many {
	uint64_t fixed[MANY], own[MANY];
	uint32_t from, to; /* whose shares may come */
	bool strange;
};

static void take_of_many(uint32_t region, uint64_t pss_fixed, uint64_t own_pages, void *arg)
{
	struct many *many = arg;

	many->strange |= region < many->from || region >= many->to;
	if (many->strange)
		return;
	many->fixed[region] += pss_fixed;
	many->own[region] += own_pages;
}

/* In their order; many have nothing, sometimes all from one mark to the next; a run may go on in the next region. */
static void map_many(struct spans *spans, uint32_t first)
{
	uint32_t nothing_of = SPANS_MARK * ((uint32_t)rand() % 7);

	for (uint32_t region = first; region < MANY; region++) {
		uint64_t page = (uint64_t)rand() % FILE_PAGES;

		if (rand() % 3 == 0 || region - nothing_of < SPANS_MARK)
			continue;
		for (int runs = rand() % 4; runs >= 0; runs--) {
			uint64_t pages = (uint64_t)rand() % 700 + 1;

			spans_add(spans, region, BASE + page, pages);
			page = rand() % 4 ? page + pages + (uint64_t)rand() % 9 : 0;
		}
	}
}

/* By parts of a mark, of several, and of all. */
static void compare_parts(const struct spans *spans, const struct many *whole, uint32_t part)
{
	struct many *many = calloc(1, sizeof(*many));

	assert_non_null(many);
	for (uint32_t from = 0; from < MANY; from += part) {
		many->from = from;
		many->to = from + part < MANY ? from + part : MANY;
		spans_shares_of(spans, many->from, many->to, take_of_many, many);
	}
	assert_false(many->strange);
	assert_memory_equal(many->fixed, whole->fixed, sizeof(many->fixed));
	assert_memory_equal(many->own, whole->own, sizeof(many->own));
	free(many);
}

static void parts_get_what_the_whole_gets(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 30; seed++) {
		struct many *whole = calloc(1, sizeof(*whole));
		struct spans spans = { 0 };

		assert_non_null(whole);
		srand(seed);
		map_many(&spans, seed % 2 ? 0 : (uint32_t)rand() % MANY);
		whole->to = MANY;
		assert_int_equal(spans_settle(&spans), 0);
		spans_shares(&spans, take_of_many, whole);
		assert_false(whole->strange);
		assert_true(spans_in_order(&spans));
		for (uint32_t marks = 1; marks < 8; marks++)
			compare_parts(&spans, whole, marks * SPANS_MARK);
		/* Of those that are not there there is nothing. */
		spans_shares_of(&spans, 100 * SPANS_MARK, 101 * SPANS_MARK, take_of_many, whole);
		assert_false(whole->strange);
		spans_free(&spans);
		free(whole);
	}
}

static void disorder_is_noticed(void **state)
{
	const uint32_t orders[][3] = {
		{ 0, 1, 0 }, { 5, 4, 4 }, { 1, SPANS_MARK, 2 }, { SPANS_MARK, 3, SPANS_MARK },
		{ 9, 9, 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		struct spans spans = { 0 };

		for (uint64_t k = 0; k < 3; k++)
			spans_add(&spans, orders[i][k], BASE + 16 * k, 4);
		assert_int_equal(spans_settle(&spans), 0);
		assert_false(spans_in_order(&spans));
		spans_free(&spans);
	}
}

/* A region may go on behind its last page, before its first one, and where it has been: it is the same one. */
static void runs_of_a_region_in_any_order_are_none(void **state)
{
	const uint64_t pages[] = { 900, 10, 500, 10, 2000 };
	struct spans spans = { 0 };
	struct many *many = calloc(1, sizeof(*many));

	(void)state;
	assert_non_null(many);
	for (uint32_t region = 0; region < 3 * SPANS_MARK; region += SPANS_MARK)
		for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
			spans_add(&spans, region, BASE + pages[i], 4);
	assert_int_equal(spans_settle(&spans), 0);
	assert_true(spans_in_order(&spans));
	many->from = SPANS_MARK;
	many->to = 2 * SPANS_MARK;
	spans_shares_of(&spans, many->from, many->to, take_of_many, many);
	assert_false(many->strange);
	/* Three regions have each page once, or twice. */
	assert_int_equal(many->fixed[SPANS_MARK], 4 * (3 * EACH(3) + 2 * EACH(6)));
	spans_free(&spans);
	free(many);
}

struct told {
	uint64_t fixed[4], own[4];
	size_t count;
};

static void take_told(uint32_t region, uint64_t pss_fixed, uint64_t own_pages, void *arg)
{
	struct told *told = arg;

	assert_true(told->count < 4);
	assert_int_equal(region, 7);
	told->fixed[told->count] = pss_fixed;
	told->own[told->count++] = own_pages;
}

/* Also where the one goes on where the other ends. */
static void what_is_cut_is_told_apart(void **state)
{
	struct spans spans = { 0 };
	struct told told = { 0 };

	(void)state;
	spans_cut(&spans);
	spans_add(&spans, 7, BASE, 4);
	spans_add(&spans, 7, BASE + 9, 1);
	spans_cut(&spans);
	spans_add(&spans, 7, BASE + 10, 3);
	spans_cut(&spans);
	spans_add(&spans, 7, BASE + 20, 2);
	spans_cut(&spans);
	assert_int_equal(spans_settle(&spans), 0);
	assert_true(spans_in_order(&spans));
	spans_shares(&spans, take_told, &told);
	assert_int_equal(told.count, 3);
	assert_int_equal(told.own[0], 5);
	assert_int_equal(told.own[1], 3);
	assert_int_equal(told.own[2], 2);
	assert_int_equal(told.fixed[0], 5 * EACH(1));
	spans_free(&spans);
}

/* So that sums without regions are those of regions, to the byte. */
static void shares_of_mappings_that_joined_are_cut_one_by_one(void **state)
{
	const uint64_t pss_fixed = (5ull << PSS_SHIFT) + 4000;
	struct region regions[2] = { { .joins = true } };

	(void)state;
	for (int i = 0; i < 2; i++)
		for (uint32_t region = 0; region < 2; region++)
			capture_take_span(region, pss_fixed, 1, regions);
	assert_int_equal(regions[0].pss_fixed >> PSS_SHIFT, 10);
	assert_int_equal(regions[1].pss_fixed >> PSS_SHIFT, 11);
	assert_int_equal(regions[0].uss, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_runs_agree_with_counting_each_page),
		cmocka_unit_test(long_runs_do_not_overflow),
		cmocka_unit_test(what_is_kept_grows_with_runs),
		cmocka_unit_test(objects_and_offsets_never_meet),
		cmocka_unit_test(neighbours_of_two_regions_stay_apart),
		cmocka_unit_test(nothing_gives_nothing),
		cmocka_unit_test(parts_get_what_the_whole_gets),
		cmocka_unit_test(disorder_is_noticed),
		cmocka_unit_test(runs_of_a_region_in_any_order_are_none),
		cmocka_unit_test(what_is_cut_is_told_apart),
		cmocka_unit_test(shares_of_mappings_that_joined_are_cut_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
