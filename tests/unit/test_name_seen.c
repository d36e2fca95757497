// SPDX-License-Identifier: MIT
/*
 * Strings and ranges that libmemoir-name has seen before, and finds by their addresses: what stands there now
 * counts, wherever it is, and whatever has become of the name meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "names/same_text.h"
#include "own_names.h"

#define PAGE 4096u
#define BASE 0x500000000ull

static void *at(uint64_t offset)
{
	return (void *)(uintptr_t)(BASE + offset);
}

/* One page that can be read, between two that can't. */
static char *lonely_page(void)
{
	char *pages = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
	return pages + PAGE;
}

static void drop_lonely_page(char *page)
{
	munmap(page - PAGE, 3 * PAGE);
}

/* ---- comparing ------------------------------------------------------------------------------ */

/* A name as the table has it, with something behind it. */
struct known {
	char text[MEMOIR_NAME_MAX + 8];
	size_t bytes;
};

static void make_known(struct known *known, size_t length)
{
	memset(known->text, '#', sizeof(known->text));
	for (size_t i = 0; i < length; i++)
		known->text[i] = (char)('a' + i % 26);
	known->text[length] = '\0';
	known->bytes = length + 1;
}

static void compare_there(const struct known *known, char *where)
{
	size_t length = known->bytes - 1;

	memcpy(where, known->text, known->bytes);
	assert_true(is_same_text(known->text, known->bytes, where));
	for (size_t i = 0; i < length; i++) {
		where[i] ^= 1;
		assert_false(is_same_text(known->text, known->bytes, where));
		where[i] ^= 1;
	}
}

/* It ends with the page: what is shorter is in its last bytes. */
static void compare_shorter(const struct known *known, char *end)
{
	for (size_t length = 0; length + 1 < known->bytes; length++) {
		char *where = end - length - 1;

		memcpy(where, known->text, length);
		where[length] = '\0';
		assert_false(is_same_text(known->text, known->bytes, where));
	}
}

static void compare_longer(const struct known *known, char *where)
{
	memcpy(where, known->text, known->bytes);
	where[known->bytes - 1] = '#';
	where[known->bytes] = '\0';
	assert_false(is_same_text(known->text, known->bytes, where));
}

static void a_string_is_compared_wherever_it_begins_and_ends(void **state)
{
	char *page = lonely_page();

	(void)state;
	for (size_t length = 0; length < MEMOIR_NAME_MAX; length++) {
		struct known known;

		make_known(&known, length);
		for (size_t skew = 0; skew < 8; skew++) {
			compare_there(&known, page + skew);
			compare_there(&known, page + PAGE - known.bytes - skew);
			compare_longer(&known, page + PAGE - known.bytes - 1 - skew);
		}
		compare_shorter(&known, page + PAGE);
	}
	drop_lonely_page(page);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void what_stands_there_now_counts(void **state)
{
	static const char *const names[] = { "a name", "a game", "a", "", "a name that is longer" };
	char *page = lonely_page();

	(void)state;
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			memcpy(page, names[i], strlen(names[i]) + 1);
			assert_int_equal(memoir_name(at(0), PAGE, page), 0);
			assert_string_equal(own_name_at(at(0)), names[i]);
			assert_int_equal(memoir_name(at(0), PAGE, page), 0);
			assert_string_equal(own_name_at(at(0)), names[i]);
		}
	}
	memcpy(page, "a [name", sizeof("a [name"));
	assert_true(memoir_name(at(0), PAGE, page) < 0);
	assert_string_equal(own_name_at(at(0)), names[4]);
	memoir_name(at(0), PAGE, NULL);
	drop_lonely_page(page);
}

/* So many that what no range has is forgotten, and its place taken by others of the same size. */
static void name_many(const char *what)
{
	for (int i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s %04d", what, i);
		assert_int_equal(memoir_name(at(1ull << 20), PAGE, name), 0);
	}
}

static void a_name_that_was_forgotten_is_not_known(void **state)
{
	static char name[] = "passing 9999";

	(void)state;
	assert_int_equal(memoir_name(at(0), PAGE, name), 0);
	assert_int_equal(memoir_name(at(0), PAGE, NULL), 0);
	name_many("another that is longer");
	assert_int_equal(memoir_name(at(0), PAGE, name), 0);
	name_many("passing");
	assert_string_equal(own_name_at(at(0)), name);
	assert_int_equal(memoir_name(at(0), PAGE, NULL), 0);
	assert_int_equal(memoir_name(at(1ull << 20), PAGE, NULL), 0);
}

/* ---- ranges --------------------------------------------------------------------------------- */

#define RANGES 300u

static uint64_t range_at(unsigned int i)
{
	return 2ull * PAGE * i;
}

/* Each changes places with what comes and goes before it, and is cut, joined or away when it is named again. */
static void a_range_is_named_wherever_it_has_come_to_be(void **state)
{
	static const char *const names[] = { "one", "two", "three" };

	(void)state;
	for (unsigned int round = 0; round < 6; round++) {
		for (unsigned int i = 0; i < RANGES; i++)
			assert_int_equal(memoir_name(at(range_at(i)), PAGE, names[(i + round) % 3]),
					 0);
		for (unsigned int i = round; i < RANGES; i += 7)
			memoir_name(at(range_at(i)), round % 2 ? 3ull * PAGE : PAGE / 2,
				    i % 2 ? "cut" : NULL);
		for (unsigned int i = 0; i < RANGES; i++)
			memoir_name(at(range_at(i) + PAGE), PAGE, round % 3 ? NULL : "between");
	}
	for (unsigned int i = 0; i < RANGES; i++)
		assert_int_equal(memoir_name(at(range_at(i)), PAGE, names[i % 3]), 0);
	for (unsigned int i = 0; i < RANGES; i += 11)
		assert_string_equal(own_name_at(at(range_at(i))), names[i % 3]);
	memoir_name(at(0), range_at(RANGES + 1), NULL);
	assert_string_equal(own_name_at(at(range_at(11))), "");
}

static void neighbours_that_get_one_name_become_one(void **state)
{
	struct memoir_name_counts counts = { .sz = sizeof(counts) };

	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		memoir_name(at(i * PAGE), PAGE, i % 2 ? "odd" : "even");
	for (unsigned int i = 0; i < 10; i++)
		memoir_name(at(i * PAGE), PAGE, i % 2 ? "odd" : "even");
	assert_int_equal(memoir_name_counts(&counts), 0);
	assert_int_equal(counts.ranges, 10);
	for (unsigned int i = 1; i < 10; i += 2)
		memoir_name(at(i * PAGE), PAGE, "even");
	assert_int_equal(memoir_name_counts(&counts), 0);
	assert_int_equal(counts.ranges, 1);
	memoir_name(at(0), 10ull * PAGE, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_string_is_compared_wherever_it_begins_and_ends),
		cmocka_unit_test(what_stands_there_now_counts),
		cmocka_unit_test(a_name_that_was_forgotten_is_not_known),
		cmocka_unit_test(a_range_is_named_wherever_it_has_come_to_be),
		cmocka_unit_test(neighbours_that_get_one_name_become_one),
	};

	own_names_by_table();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
