// SPDX-License-Identifier: MIT
/*
 * Reading a name table that changes between any two of the reader's reads, and how much of one is read.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "own_names.h"

#define PAGE 4096u
#define BASE 0x500000000ull
#define RANGES 150u /* three leaves */

static void *at(unsigned int range)
{
	return (void *)(uintptr_t)(BASE + (uint64_t)range * 2 * PAGE);
}

static void name_all(const char *name)
{
	for (unsigned int i = 0; i < RANGES; i++)
		assert_int_equal(memoir_name(at(i), PAGE, i % 2 ? name : "every other"), 0);
}

/* This process's own memory, of which the reader's n-th read comes right after a change. */
struct source {
	unsigned int reads, change_before;
	size_t bytes;
};

static int read_own(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	struct source *source = arg;

	if (++source->reads == source->change_before) {
		memoir_name(at(1), PAGE, "new");
		memoir_name(at(RANGES - 1), PAGE, "new");
	}
	source->bytes += bytes;
	memcpy(buffer, (const void *)(uintptr_t)addr, bytes);
	return 0;
}

static const char *name_at(const struct names_table *table, unsigned int range)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->ranges[i].start == (uintptr_t)at(range))
			return table->ranges[i].name;
	fail_msg("range %u is not there", range);
	return NULL;
}

/* Returns how many reads it took. */
static unsigned int read_with_change(unsigned int change_before)
{
	struct source source = { .change_before = change_before };
	struct names_table table = { 0 };
	const struct names_source own = { .read = read_own, .arg = &source };
	const char *first, *last;

	name_all("old");
	assert_int_equal(names_read(&own, own_anchor(), &table), 0);
	assert_int_equal(table.count, RANGES);
	assert_int_equal(table.name_count, 2 + (strcmp(name_at(&table, 1), "new") == 0 &&
						strcmp(name_at(&table, 3), "old") == 0));
	first = name_at(&table, 1);
	last = name_at(&table, RANGES - 1);
	/* The last one changed after the first. */
	if (strcmp(first, "new") != 0 && strcmp(last, "old") != 0)
		fail_msg("before read %u: the first is %s, the last %s", change_before, first,
			 last);
	for (size_t i = 0; i < table.count; i++)
		assert_ptr_equal(table.ranges[i].name, table.names[table.ranges[i].number]);
	names_table_free(&table);
	return source.reads;
}

static void a_table_is_as_it_was_at_one_moment_whenever_it_changes(void **state)
{
	unsigned int quiet = read_with_change(0);

	(void)state;
	assert_true(quiet > 4);
	for (unsigned int n = 1; n <= quiet; n++)
		read_with_change(n);
}

static void of_a_small_table_little_is_read(void **state)
{
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	struct source source = { 0 };
	struct names_table table = { 0 };
	const struct names_source own = { .read = read_own, .arg = &source };

	(void)state;
	memoir_name(at(0), 2ull * RANGES * PAGE, NULL);
	name_all("few");
	assert_int_equal(memoir_name_counts(&counts), 0);
	assert_int_equal(names_read(&own, own_anchor(), &table), 0);
	assert_int_equal(table.count, RANGES);
	/* Three leaves, the directory, and a block or two of names. */
	assert_true(source.bytes <= 7 * 1024u);
	assert_true(source.bytes * 4 < counts.table_bytes);
	names_table_free(&table);
}

static int refuse(void *arg, const struct names_table *table)
{
	assert_int_equal(table->subject, 0);
	return *(int *)arg;
}

static int read_plainly(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	(void)arg;
	memcpy(buffer, (const void *)(uintptr_t)addr, bytes);
	return 0;
}

static void what_is_not_wanted_is_not_read(void **state)
{
	int answer = 0;
	struct names_table table = { 0 };
	const struct names_source own = { .read = read_plainly,
					  .is_wanted = refuse,
					  .arg = &answer };

	(void)state;
	name_all("old");
	assert_int_equal(names_read(&own, own_anchor(), &table), -ECANCELED);
	answer = -EIO;
	assert_int_equal(names_read(&own, own_anchor(), &table), -EIO);
	answer = 1;
	assert_int_equal(names_read(&own, own_anchor(), &table), 0);
	assert_int_equal(table.count, RANGES);
	names_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_small_table_little_is_read),
		cmocka_unit_test(a_table_is_as_it_was_at_one_moment_whenever_it_changes),
		cmocka_unit_test(what_is_not_wanted_is_not_read),
	};

	own_names_by_table();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
