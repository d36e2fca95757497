// SPDX-License-Identifier: MIT
/*
 * Random names on random ranges, against an array with a name for each byte: splitting, merging,
 * clearing, counts. What is named is only a stretch of addresses: the table does not look at memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "own_names.h"

#define BASE 0x100000000ull

struct world {
	uint32_t bytes;
	uint32_t names;
	uint32_t longest;
	uint8_t *names_of; /* by byte; 0: none */
};

static const char *name_of(unsigned int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "name %u", i);
	return name;
}

static void expect_at(const struct world *w, const struct names_table *table)
{
	uint64_t at = 0;
	size_t i = 0;

	while (at < w->bytes) {
		uint8_t name = w->names_of[at];
		uint64_t end = at;

		while (end < w->bytes && w->names_of[end] == name)
			end++;
		if (name) {
			assert_true(i < table->count);
			assert_int_equal(table->ranges[i].start, BASE + at);
			assert_int_equal(table->ranges[i].end, BASE + end);
			assert_string_equal(table->ranges[i].name, name_of(name));
			i++;
		}
		at = end;
	}
	assert_int_equal(table->count, i);
}

static void expect_counts(const struct world *w, const struct names_table *table)
{
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	uint64_t names = 0, bytes = 0;

	for (unsigned int i = 1; i <= w->names; i++)
		if (memchr(w->names_of, (int)i, w->bytes)) {
			names++;
			bytes += strlen(name_of(i)) + 1;
		}
	assert_int_equal(memoir_name_counts(&counts), 0);
	assert_int_equal(counts.ranges, table->count);
	assert_int_equal(counts.names, names);
	assert_int_equal(counts.name_bytes, bytes);
}

static void expect(const struct world *w)
{
	struct names_table table;

	assert_int_equal(own_names(&table), 0);
	expect_at(w, &table);
	expect_counts(w, &table);
	names_table_free(&table);
}

/* Mostly ranges that were named before, which is what programs do. */
static void step(struct world *w)
{
	static uint32_t last_start, last_len;
	uint32_t name = (uint32_t)rand() % (w->names + 1);

	if (rand() % 3 || last_start + last_len > w->bytes) {
		last_len = (uint32_t)rand() % (rand() % 20 ? w->longest : w->bytes);
		last_start = (uint32_t)rand() % (w->bytes - last_len);
	}
	assert_int_equal(memoir_name((void *)(uintptr_t)(BASE + last_start), last_len,
				     name ? name_of(name) : NULL),
			 0);
	memset(w->names_of + last_start, (int)name, last_len);
}

static void run(uint32_t bytes, uint32_t names, uint32_t longest, int steps, int every)
{
	struct world w = { bytes, names, longest, calloc(bytes, 1) };

	for (int i = 0; i < steps; i++) {
		step(&w);
		if (i % every == 0)
			expect(&w);
	}
	assert_int_equal(memoir_name((void *)(uintptr_t)BASE, bytes, NULL), 0);
	memset(w.names_of, 0, bytes);
	expect(&w);
	free(w.names_of);
}

static void every_step_of_a_small_world(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 40; seed++) {
		srand(seed);
		run(300, 3, 40, 300, 1);
	}
}

static void worlds_of_some_leaves(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 10; seed++) {
		srand(seed);
		run(4000, 200, 12, 6000, 50);
	}
}

static void worlds_of_many_leaves(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 3; seed++) {
		srand(seed);
		run(400000, 250, 20, 60000, 4000);
	}
}

static void name_each(uint32_t count, int order, bool clear)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = order > 0   ? i
			      : order < 0 ? count - 1 - i
					  : (uint32_t)((i * 2654435761ull) % count);

		assert_int_equal(memoir_name((void *)(uintptr_t)(BASE + at * 8192ull), 4096,
					     clear ? NULL : name_of(at % 100)),
				 0);
	}
}

/* At most 32 bytes for a range, in whatever order they come; and all of it is used again. */
static void memory_is_little_and_does_not_grow(void **state)
{
	const uint32_t count = 100003;
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	uint64_t most = 0;

	(void)state;
	for (int round = 0; round < 6; round++) {
		name_each(count, round % 3 - 1, false);
		assert_int_equal(memoir_name_counts(&counts), 0);
		assert_int_equal(counts.ranges, count);
		assert_int_equal(counts.names, 100);
		assert_true(counts.table_bytes - counts.name_bytes <= 32ull * count);
		most = round < 3 && counts.table_bytes > most ? counts.table_bytes : most;
		name_each(count, (round / 3) - 1, true);
		assert_int_equal(memoir_name_counts(&counts), 0);
		assert_int_equal(counts.ranges, 0);
		assert_int_equal(counts.names, 0);
	}
	assert_true(counts.table_bytes <= most);
}

static void distinct_names_are_kept_once_and_their_room_used_again(void **state)
{
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	uint64_t before;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++)
		memoir_name((void *)(uintptr_t)BASE, 10, name_of(1000 + i));
	assert_int_equal(memoir_name_counts(&counts), 0);
	assert_int_equal(counts.names, 1);
	before = counts.table_bytes;
	for (unsigned int i = 0; i < 200000; i++)
		memoir_name((void *)(uintptr_t)BASE, 10, name_of(100000 + i));
	assert_int_equal(memoir_name_counts(&counts), 0);
	assert_int_equal(counts.names, 1);
	assert_true(counts.table_bytes <= before + 1024);
	memoir_name((void *)(uintptr_t)BASE, 10, NULL);
}

static void vast_ranges(void **state)
{
	struct names_table table;
	const uint64_t vast = (3ull << 39) + 5;

	(void)state;
	assert_int_equal(memoir_name((void *)(uintptr_t)BASE, vast, "vast"), 0);
	assert_int_equal(own_names(&table), 0);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.ranges[0].end - table.ranges[0].start, vast);
	names_table_free(&table);
	assert_int_equal(memoir_name((void *)(uintptr_t)(BASE + vast / 2), 1, "one"), 0);
	assert_int_equal(own_names(&table), 0);
	assert_int_equal(table.count, 3);
	assert_int_equal(table.ranges[2].end, BASE + vast);
	names_table_free(&table);
	assert_int_equal(memoir_name(NULL, SIZE_MAX, NULL), 0);
	assert_int_equal(own_names(&table), 0);
	assert_int_equal(table.count, 0);
	names_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_of_a_small_world),
		cmocka_unit_test(worlds_of_some_leaves),
		cmocka_unit_test(worlds_of_many_leaves),
		cmocka_unit_test(memory_is_little_and_does_not_grow),
		cmocka_unit_test(distinct_names_are_kept_once_and_their_room_used_again),
		cmocka_unit_test(vast_ranges),
	};

	own_names_by_table();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
