// SPDX-License-Identifier: MIT
/*
 * The tally against brute force: sharing sets, mapcounts and shares of random mappings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <memoir/snapshot.h>

#include "snapshot/tally.h"

#define PAGES 700
#define REGIONS 40

struct oracle {
	uint32_t maps[REGIONS][PAGES]; /* how often a region maps a page */
};

static uint64_t mappings(const struct oracle *o, int page)
{
	uint64_t count = 0;

	for (int r = 0; r < REGIONS; r++)
		count += o->maps[r][page];
	return count;
}

struct sums {
	uint64_t fixed[REGIONS], swap_fixed[REGIONS], private_pages[REGIONS];
};

static void sum_up(const struct tally *tally, struct sums *ret)
{
	struct tally_sum *sums = NULL;

	assert_int_equal(tally_sum(tally, &sums), 0);
	for (size_t i = TALLY_ROOTS; i < tally->node_count; i++) {
		const struct tally_node *node = &tally->nodes[i];

		ret->fixed[node->region] += sums[i].ram_fixed;
		ret->swap_fixed[node->region] += sums[i].swap_fixed;
		if (node->depth == 1)
			ret->private_pages[node->region] += sums[i].ram_pages;
	}
	free(sums);
}

static void map_at_random(struct oracle *o, struct tally *tally)
{
	for (uint32_t r = 0; r < REGIONS; r++)
		for (int page = 0; page < PAGES; page++)
			if (rand() % 3 == 0) {
				int times = rand() % 20 ? 1 : 2;

				o->maps[r][page] += (uint32_t)times;
				while (times--)
					tally_add(tally, TALLY_FRAME | (uint64_t)page * 3, r);
			}
}

static void compare(const struct oracle *o, const struct sums *s)
{
	for (int r = 0; r < REGIONS; r++) {
		uint64_t alone = 0, fixed = 0;

		for (int page = 0; page < PAGES; page++) {
			if (!o->maps[r][page])
				continue;
			alone += mappings(o, page) == 1;
			fixed += o->maps[r][page] * ((4096u << 12) / mappings(o, page));
		}
		assert_int_equal(s->private_pages[r], alone);
		assert_int_equal(s->fixed[r], fixed);
	}
}

static void random_mappings_agree_with_counting_each_page(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 50; seed++) {
		struct oracle *o = calloc(1, sizeof(*o));
		struct sums s = { 0 };
		struct tally tally;

		srand(seed);
		assert_int_equal(tally_init(&tally), 0);
		map_at_random(o, &tally);
		assert_int_equal(tally.error, 0);
		sum_up(&tally, &s);
		compare(o, &s);
		tally_free(&tally);
		free(o);
	}
}

static void pages_that_go_together_stay_in_one_set(void **state)
{
	struct sums s = { 0 };
	struct tally tally;

	(void)state;
	assert_int_equal(tally_init(&tally), 0);
	for (uint32_t r = 0; r < 30; r++)
		for (uint64_t page = 0; page < 100000; page++)
			tally_add(&tally, TALLY_FRAME | page, r);
	sum_up(&tally, &s);
	/* What is kept grows with sets and regions, whatever the number of pages. */
	assert_int_equal(tally.node_count, 30 + TALLY_ROOTS);
	assert_true(sizeof(struct memoir_set) <= 200);
	assert_true(sizeof(((struct memoir_region *)NULL)->own_anon_bytes) +
			    sizeof(((struct memoir_region *)NULL)->own_swap_bytes) <=
		    64);
	assert_int_equal(s.fixed[7], 100000ull * ((4096u << 12) / 30));
	tally_free(&tally);
}

static void swap_frames_and_offsets_never_meet(void **state)
{
	struct sums s = { 0 };
	struct tally tally;

	(void)state;
	assert_int_equal(tally_init(&tally), 0);
	tally_add(&tally, TALLY_FRAME | 5, 1);
	tally_add(&tally, TALLY_SWAP | 5, 1);
	tally_add(&tally, TALLY_SWAP | 5, 2);
	tally_add(&tally, TALLY_OFFSET | 5, 3);
	sum_up(&tally, &s);
	assert_int_equal(s.private_pages[1], 1);
	assert_int_equal(s.fixed[1], 4096u << 12);
	assert_int_equal(s.swap_fixed[1], (4096u << 12) / 2);
	assert_int_equal(s.swap_fixed[2], (4096u << 12) / 2);
	assert_int_equal(s.fixed[2], 0);
	assert_int_equal(s.private_pages[3], 1);
	tally_free(&tally);
}

static void regions_may_come_in_turns(void **state)
{
	struct sums s = { 0 };
	struct tally tally;

	(void)state;
	assert_int_equal(tally_init(&tally), 0);
	for (uint64_t page = 0; page < 1000; page++) {
		tally_add(&tally, TALLY_FRAME | page, 1);
		tally_add(&tally, TALLY_FRAME | (999 - page), 2);
	}
	sum_up(&tally, &s);
	assert_int_equal(s.private_pages[1], 0);
	assert_int_equal(s.fixed[1], 1000ull * (4096u << 12) / 2);
	tally_free(&tally);
}

/* Half of one region's pages go to another, which then is in the sets in its place. */
static void moved_pages_are_counted_for_the_other_region(void **state)
{
	struct u64map moved = { 0 };
	struct sums s = { 0 };
	struct tally tally;

	(void)state;
	assert_int_equal(tally_init(&tally), 0);
	for (uint32_t r = 0; r < 4; r++)
		for (uint64_t page = 0; page < 1000; page++)
			tally_add(&tally, TALLY_FRAME | page, r);
	tally_add(&tally, TALLY_FRAME | 5000, 1);
	for (uint64_t page = 0; page < 500; page++)
		assert_true(tally_move(&tally, TALLY_FRAME | page, 1, 9, &moved));
	assert_true(tally_move(&tally, TALLY_FRAME | 5000, 1, 1, &moved));
	assert_false(tally_move(&tally, TALLY_FRAME | 5001, 1, 9, &moved));
	assert_false(tally_move(&tally, TALLY_FRAME | 3, 1, 9, &moved));
	assert_false(tally_move(&tally, TALLY_SWAP | 3, 2, 9, &moved));
	sum_up(&tally, &s);
	assert_int_equal(s.fixed[9], 500ull * ((4096u << 12) / 4));
	assert_int_equal(s.fixed[1], 500ull * ((4096u << 12) / 4) + (4096u << 12));
	assert_int_equal(s.fixed[0], 1000ull * ((4096u << 12) / 4));
	assert_int_equal(s.private_pages[1], 1);
	u64map_free(&moved);
	tally_free(&tally);
}

/* Members of a family have the same frames at most of their places, and now and then another. */
static uint64_t frame_at(uint32_t region, size_t i)
{
	bool own = (region * 31 + i) % 7 == 0;

	return own ? 1000000 + region * 1000 + i : i * 7919 % 100003;
}

static void places_only_find_what_is_there(void **state)
{
	struct sums near = { 0 }, plain = { 0 };
	struct tally by_place, by_key;

	(void)state;
	assert_int_equal(tally_init(&by_place), 0);
	assert_int_equal(tally_init(&by_key), 0);
	for (uint32_t r = 0; r < REGIONS; r++) {
		/* Every fourth lies elsewhere in its family, as a table of which others know nothing. */
		struct tally_place *place = tally_place_at(&by_place, r % 4 ? 5 : 100 + r);
		struct tally_step step = { 0 };

		assert_true(!place == (r % 4 == 0 || r == 1));
		for (size_t i = 0; i < TALLY_CHUNK; i++) {
			uint64_t key = TALLY_FRAME | frame_at(r, i);
			uint32_t *set = tally_slot_at(&by_place, place, i, key);

			/* Now and then the same page once more, which the step must not take for another. */
			for (int times = i % 11 ? 1 : 2; times--;) {
				tally_add_next(&by_place, set, r, &step);
				tally_add(&by_key, key, r);
			}
		}
	}
	sum_up(&by_place, &near);
	sum_up(&by_key, &plain);
	assert_memory_equal(&near, &plain, sizeof(near));
	tally_free(&by_place);
	tally_free(&by_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_mappings_agree_with_counting_each_page),
		cmocka_unit_test(pages_that_go_together_stay_in_one_set),
		cmocka_unit_test(swap_frames_and_offsets_never_meet),
		cmocka_unit_test(regions_may_come_in_turns),
		cmocka_unit_test(places_only_find_what_is_there),
		cmocka_unit_test(moved_pages_are_counted_for_the_other_region),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
