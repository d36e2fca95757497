// SPDX-License-Identifier: MIT
/*
 * Which tables are found again, and that none is kept of processes that are gone, or without end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "snapshot/kept_names.h"

static struct kept_key key_of(pid_t pid)
{
	struct kept_key key;

	memset(&key, 0, sizeof(key));
	key.pid = pid;
	key.start_ticks = 100;
	key.start_stack = 0x7ff000;
	key.anchor = 0x5000;
	key.inode = 7;
	key.generation = 3;
	return key;
}

/* Of as many ranges, all of one name. */
static struct names_table table_of(struct named_range *ranges, size_t count, const char **name)
{
	for (size_t i = 0; i < count; i++)
		ranges[i] = (struct named_range){ i * 8192, i * 8192 + 4096, 0, *name };
	return (struct names_table){
		.ranges = ranges, .count = count, .names = name, .name_count = 1
	};
}

static void keep(struct kept_names *kept, pid_t pid, const char *name)
{
	struct kept_key key = key_of(pid);
	struct named_range range;
	struct names_table table = table_of(&range, 1, &name);

	kept_names_keep(kept, &key, &table, 0x10000, 4096);
}

static const struct kept_table *find(struct kept_names *kept, pid_t pid)
{
	struct kept_key key = key_of(pid);

	return kept_names_find(kept, &key);
}

static void a_table_is_found_as_long_as_all_of_its_key_is_the_same(void **state)
{
	struct kept_names *kept = kept_names_new();
	struct kept_key key = key_of(1);
	uint32_t epoch = kept_names_begin(kept);

	(void)state;
	assert_true(epoch != 0);
	keep(kept, 1, "one");
	assert_string_equal(find(kept, 1)->table.ranges[0].name, "one");
	assert_int_equal(find(kept, 1)->space, 0x10000);
	kept_names_end(kept, true);
	assert_int_equal(kept_names_begin(kept), epoch);
	/* Each number of it, the last of which is 8 bytes. */
	for (size_t at = 0; at < sizeof(key); at += 8) {
		key = key_of(1);
		((char *)&key)[at]++;
		assert_null(kept_names_find(kept, &key));
	}
	/* What is sought and not here has to come again. */
	assert_non_null(find(kept, 1));
	kept_names_end(kept, true);
	assert_int_not_equal(kept_names_begin(kept), epoch);
	kept_names_free(kept);
}

static void what_was_not_seen_is_dropped(void **state)
{
	struct kept_names *kept = kept_names_new();

	(void)state;
	kept_names_begin(kept);
	for (pid_t pid = 1; pid <= 100; pid++)
		keep(kept, pid, pid % 2 ? "odd" : "even");
	kept_names_end(kept, true);
	kept_names_begin(kept);
	for (pid_t pid = 2; pid <= 100; pid += 2)
		assert_non_null(find(kept, pid));
	/* A capture of some processes says nothing of the others. */
	kept_names_end(kept, false);
	for (pid_t pid = 1; pid <= 100; pid++)
		assert_non_null(find(kept, pid));
	kept_names_begin(kept);
	for (pid_t pid = 2; pid <= 100; pid += 2)
		assert_non_null(find(kept, pid));
	kept_names_end(kept, true);
	for (pid_t pid = 1; pid <= 100; pid++) {
		const struct kept_table *of = find(kept, pid);

		if (pid % 2)
			assert_null(of);
		else
			assert_string_equal(of->table.names[0], "even");
	}
	kept_names_free(kept);
}

static void tables_of_the_same_names_are_known_to_have_them(void **state)
{
	struct kept_names *kept = kept_names_new();

	(void)state;
	kept_names_begin(kept);
	keep(kept, 1, "same");
	keep(kept, 2, "same");
	keep(kept, 3, "samf");
	keep(kept, 4, "same");
	assert_int_equal(find(kept, 1)->list, find(kept, 2)->list);
	assert_int_not_equal(find(kept, 2)->list, find(kept, 3)->list);
	assert_int_not_equal(find(kept, 3)->list, find(kept, 4)->list);
	/* Its own list is no longer that of the one it takes the place of. */
	keep(kept, 4, "else");
	assert_int_not_equal(find(kept, 4)->list, find(kept, 1)->list);
	assert_string_equal(find(kept, 4)->table.names[0], "else");
	kept_names_free(kept);
}

static void what_is_to_be_read_elsewhere_is_known(void **state)
{
	struct kept_names *kept = kept_names_new();
	struct kept_key key = key_of(5);

	(void)state;
	kept_names_begin(kept);
	kept_names_keep(kept, &key, NULL, 0, 0);
	assert_true(find(kept, 5)->elsewhere);
	keep(kept, 5, "here");
	assert_false(find(kept, 5)->elsewhere);
	kept_names_free(kept);
}

static void there_is_an_end_to_what_is_kept(void **state)
{
	struct kept_names *kept = kept_names_new();
	size_t count = 10000;
	struct named_range *ranges = calloc(count, sizeof(*ranges));
	const char *name = "many";
	unsigned int found = 0;

	(void)state;
	assert_non_null(ranges);
	kept_names_begin(kept);
	for (pid_t pid = 1; pid <= 200; pid++) {
		struct names_table table = table_of(ranges, count, &name);
		struct kept_key key = key_of(pid);

		kept_names_keep(kept, &key, &table, 0, 0);
		found += find(kept, pid) != NULL;
	}
	/* Of 64 MB a quarter, and one more. */
	assert_in_range(found, 40, 60);
	/* Those that are gone make room. */
	kept_names_end(kept, true);
	kept_names_begin(kept);
	kept_names_end(kept, true);
	kept_names_begin(kept);
	keep(kept, 300, "room");
	assert_non_null(find(kept, 300));
	free(ranges);
	kept_names_free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_is_found_as_long_as_all_of_its_key_is_the_same),
		cmocka_unit_test(what_was_not_seen_is_dropped),
		cmocka_unit_test(tables_of_the_same_names_are_known_to_have_them),
		cmocka_unit_test(what_is_to_be_read_elsewhere_is_known),
		cmocka_unit_test(there_is_an_end_to_what_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
