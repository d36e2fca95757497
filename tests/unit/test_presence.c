// SPDX-License-Identifier: MIT
/*
 * Bits of pages in RAM against counting entries: random tables of several processes, any range of them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/pte.h"
#include "snapshot/presence.h"

#define TABLES 4
#define PAGES (TABLES * PRESENCE_PAGES)
#define BASE 0x7f0000000000ull
#define PAGE 4096ull

/* A table's entries, or a VMA's share of one, as a walk gives them: none, all, or some. */
static void add_run(struct presence *presence, const uint64_t *entries, size_t from, size_t to)
{
	uint64_t resident = 0;

	for (size_t i = from; i < to; i++)
		resident += pte_counted(entries[i]);
	presence_add(presence, BASE + from * PAGE, entries + from, to - from, resident);
}

static void add_at_random(struct presence *presence, uint64_t *entries)
{
	for (size_t i = 0; i < PAGES; i++)
		entries[i] = i % 64 < 20 || rand() % 3 == 0
				     ? PTE_BIT_PRESENT | (rand() % 9 ? 0 : PTE_BIT_SPECIAL)
				     : 0;
	for (size_t i = 0; i < PRESENCE_PAGES; i++)
		entries[2 * PRESENCE_PAGES + i] = 0;
	for (size_t table = 0; table < TABLES; table++) {
		size_t first = table * PRESENCE_PAGES, cut = first + 1 + (size_t)rand() % 510;

		add_run(presence, entries, first, cut);
		add_run(presence, entries, cut, first + PRESENCE_PAGES);
	}
}

static uint64_t bytes_by_entries(const uint64_t *entries, uint64_t from, uint64_t to)
{
	uint64_t bytes = 0;

	for (uint64_t at = from; at < to;) {
		uint64_t stop = at / PAGE * PAGE + PAGE < to ? at / PAGE * PAGE + PAGE : to;

		bytes += pte_counted(entries[at / PAGE]) ? stop - at : 0;
		at = stop;
	}
	return bytes;
}

/* One look at ranges that follow each other: to the page, to the byte, far from each other and close. */
static void check_ranges(const struct presence *presence, uint32_t process, const uint64_t *entries)
{
	for (int looks = 0; looks < 100; looks++) {
		uint64_t unit = looks % 2 ? 1 : PAGE, most = looks % 3 ? 9000 : PAGES * PAGE / 3;
		uint64_t to = (uint64_t)rand() % (PAGES * PAGE / 2) / unit * unit;
		struct presence_cursor cursor;

		assert_true(presence_look(presence, process, BASE + to, &cursor));
		while (to < PAGES * PAGE) {
			uint64_t from = to + (uint64_t)rand() % 3 * unit;

			to = from + (uint64_t)rand() % most / unit * unit + unit;
			from = from < PAGES * PAGE ? from : PAGES * PAGE;
			to = to < PAGES * PAGE ? to : PAGES * PAGE;
			assert_int_equal(presence_bytes(&cursor, BASE + from, BASE + to),
					 bytes_by_entries(entries, from, to));
		}
	}
}

static void ranges_have_the_pages_that_entries_say(void **state)
{
	static uint64_t entries[5][PAGES];
	struct presence presence = { .wanted = true };
	struct presence_cursor cursor;

	(void)state;
	srand(7);
	/* Two of five are kept: one that is found to be after its pages were added, one before. */
	for (uint32_t process = 0; process < 5; process++) {
		presence_enter(&presence, process);
		if (process == 3)
			presence_keep(&presence);
		add_at_random(&presence, entries[process]);
		presence_enter(&presence, process);
		if (process == 0)
			presence_keep(&presence);
	}
	presence_enter(&presence, UINT32_MAX);
	assert_int_equal(presence.error, 0);
	check_ranges(&presence, 0, entries[0]);
	check_ranges(&presence, 3, entries[3]);
	for (uint32_t process = 1; process < 5; process += process == 2 ? 2 : 1)
		assert_false(presence_look(&presence, process, BASE, &cursor));
	/* A table without pages takes no room, nor does a process that was not kept. */
	assert_int_equal(presence.count, 2 * (TABLES - 1));
	presence_free(&presence);
}

static void full_tables_are_full(void **state)
{
	static uint64_t entries[PAGES];
	struct presence presence = { .wanted = true };

	(void)state;
	for (size_t i = 0; i < PAGES; i++)
		entries[i] = PTE_BIT_PRESENT;
	presence_enter(&presence, 9);
	presence_keep(&presence);
	add_run(&presence, entries, 3, 200);
	add_run(&presence, entries, 200, PRESENCE_PAGES);
	add_run(&presence, entries, PRESENCE_PAGES, 2 * PRESENCE_PAGES);
	presence_enter(&presence, UINT32_MAX);
	for (size_t i = 0; i < PAGES; i++)
		entries[i] = i >= 3 && i < 2 * (size_t)PRESENCE_PAGES ? PTE_BIT_PRESENT : 0;
	check_ranges(&presence, 9, entries);
	presence_free(&presence);
}

/* As after fork: the last table of one is where the first of the next is. */
static void tables_at_one_address_are_each_process_s_own(void **state)
{
	static const uint64_t entries[2] = { PTE_BIT_PRESENT, PTE_BIT_PRESENT };
	struct presence presence = { .wanted = true };
	struct presence_cursor cursor;

	(void)state;
	for (uint32_t process = 1; process <= 3; process++) {
		presence_enter(&presence, process);
		presence_keep(&presence);
		presence_add(&presence, BASE + process * PAGE, entries, 2, 2);
	}
	presence_enter(&presence, UINT32_MAX);
	for (uint32_t process = 1; process <= 3; process++)
		for (uint64_t page = 0; page < 8; page++) {
			uint64_t start = BASE + page * PAGE;

			assert_true(presence_look(&presence, process, start, &cursor));
			assert_int_equal(presence_bytes(&cursor, start, start + PAGE),
					 page == process || page == process + 1 ? PAGE : 0);
		}
	presence_free(&presence);
}

static void without_memory_nothing_is_known(void **state)
{
	static const uint64_t entry = PTE_BIT_PRESENT;
	struct presence presence = { .wanted = true };
	struct presence_cursor cursor;

	(void)state;
	assert_false(presence_look(&presence, 1, BASE, &cursor));
	presence_enter(&presence, 1);
	presence_keep(&presence);
	presence_add(&presence, BASE, &entry, 1, 1);
	presence_enter(&presence, UINT32_MAX);
	assert_true(presence_look(&presence, 1, BASE, &cursor));
	presence.error = -ENOMEM;
	assert_false(presence_look(&presence, 1, BASE, &cursor));
	presence_free(&presence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_have_the_pages_that_entries_say),
		cmocka_unit_test(full_tables_are_full),
		cmocka_unit_test(tables_at_one_address_are_each_process_s_own),
		cmocka_unit_test(without_memory_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
