// SPDX-License-Identifier: MIT
/*
 * What cells are made of: numbers, times, and text of strangers made safe for a terminal.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "present/escape.h"
#include "present/number.h"

/* ---- numbers -------------------------------------------------------------------------------- */

static void bytes_have_three_digits_that_count(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1, "1B" },
		{ 1023, "1023B" },
		{ 1024, "1.00KiB" },
		{ 4096, "4.00KiB" },
		{ 10234, "9.99KiB" },
		{ 10235, "10.0KiB" },
		{ 102348, "99.9KiB" },
		{ 102349, "100KiB" },
		{ 1048063, "1023KiB" },
		{ 1048064, "1.00MiB" },
		{ 1048576, "1.00MiB" },
		{ UINT64_C(1) << 30, "1.00GiB" },
		{ UINT64_C(24684092) * 1024, "23.5GiB" },
		{ UINT64_C(1) << 40, "1.00TiB" },
		{ UINT64_C(1) << 50, "1.00PiB" },
		{ UINT64_MAX, "16.0EiB" },
	};
	char buf[NUMBER_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(number_bytes(cases[i].bytes, buf), strlen(cases[i].text));
		assert_string_equal(buf, cases[i].text);
	}
}

static void decimal_and_hex_agree_with_printf(void **state)
{
	char buf[NUMBER_MAX], expected[NUMBER_MAX];

	(void)state;
	for (uint64_t value = 1, i = 0; i < 300; i++, value = value * 3 + i % 7) {
		for (int less = 0; less < 2; less++) {
			snprintf(expected, sizeof(expected), "%llu",
				 (unsigned long long)value - (unsigned int)less);
			assert_int_equal(number_decimal(value - (unsigned int)less, buf),
					 strlen(expected));
			assert_string_equal(buf, expected);
		}
		snprintf(expected, sizeof(expected), "%08llx", (unsigned long long)value);
		assert_int_equal(number_hex(value, 8, buf), strlen(expected));
		assert_string_equal(buf, expected);
	}
	for (uint64_t power = 1, i = 0; i < 20; i++, power *= 10) {
		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)power);
		number_decimal(power, buf);
		assert_string_equal(buf, expected);
	}
	number_decimal(UINT64_MAX, buf);
	assert_string_equal(buf, "18446744073709551615");
	number_hex(0, 1, buf);
	assert_string_equal(buf, "0");
	number_hex(UINT64_MAX, 1, buf);
	assert_string_equal(buf, "ffffffffffffffff");
}

static void times_are_utc_with_milliseconds(void **state)
{
	char buf[NUMBER_MAX];

	(void)state;
	number_time(UINT64_C(1709210096789999999), buf);
	assert_string_equal(buf, "2024-02-29T12:34:56.789Z");
	number_time(0, buf);
	assert_string_equal(buf, "1970-01-01T00:00:00.000Z");
}

/* ---- escapes -------------------------------------------------------------------------------- */

static void expect_escaped(const char *text, bool utf8, const char *expected, size_t width)
{
	struct buffer buffer = { 0 };
	size_t got = 0;

	assert_int_equal(escape_terminal(&buffer, text, strlen(text), utf8, &got), 0);
	assert_int_equal(buffer.len, strlen(expected));
	assert_memory_equal(buffer.data ? buffer.data : "", expected, buffer.len);
	assert_int_equal(got, width);
	buffer_free(&buffer);
}

static void nothing_that_moves_the_cursor_reaches_a_terminal(void **state)
{
	(void)state;
	expect_escaped("", false, "", 0);
	expect_escaped("plain \"text\"", false, "plain \"text\"", 12);
	expect_escaped("a\nb\tc\rd", false, "a\\nb\\tc\\rd", 10);
	expect_escaped("\033[2J", false, "\\x1b[2J", 7);
	expect_escaped("\x7f", false, "\\x7f", 4);
	expect_escaped("back\\slash", false, "back\\\\slash", 11);
	expect_escaped("\xff\xfe", false, "\\xff\\xfe", 8);
	expect_escaped("caf\xc3\xa9", false, "caf\\xc3\\xa9", 11);
}

static void a_terminal_of_utf8_shows_what_does_not_deceive(void **state)
{
	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		print_message("there is no locale C.UTF-8\n");
		skip();
	}
	expect_escaped("caf\xc3\xa9", true, "caf\xc3\xa9", 4);
	expect_escaped("\xe6\xbc\xa2", true, "\xe6\xbc\xa2", 2); /* a wide character */
	expect_escaped("a\xe2\x80\xae"
		       "b",
		       true,
		       "a\\xe2\\x80\\xae"
		       "b",
		       14); /* right to left */
	expect_escaped("\xc2\x9b"
		       "2J",
		       true,
		       "\\xc2\\x9b"
		       "2J",
		       10);                                          /* CSI in one character */
	expect_escaped("\xe2\x80\x8b", true, "\\xe2\\x80\\x8b", 12); /* no width */
	expect_escaped("\xc0\xaf", true, "\\xc0\\xaf", 8);           /* overlong */
	expect_escaped("\xe0\x80\xaf", true, "\\xe0\\x80\\xaf", 12); /* the same, longer */
	expect_escaped("\xed\xa0\x80", true, "\\xed\\xa0\\x80", 12); /* a surrogate */
	expect_escaped("\xf4\x90\x80\x80", true, "\\xf4\\x90\\x80\\x80", 16); /* past the end */
	expect_escaped("\xe6\xbc", true, "\\xe6\\xbc", 8);                    /* cut off */
	setlocale(LC_CTYPE, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_have_three_digits_that_count),
		cmocka_unit_test(decimal_and_hex_agree_with_printf),
		cmocka_unit_test(times_are_utc_with_milliseconds),
		cmocka_unit_test(nothing_that_moves_the_cursor_reaches_a_terminal),
		cmocka_unit_test(a_terminal_of_utf8_shows_what_does_not_deceive),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
