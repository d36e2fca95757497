// SPDX-License-Identifier: MIT
/*
 * Sizes as people write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "present/number.h"

static void sizes_are_read_in_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "1", 1 },
		{ "4096", 4096 },
		{ "4096B", 4096 },
		{ "64k", 64 << 10 },
		{ "64KiB", 64 << 10 },
		{ "1.5M", 3 << 19 },
		{ "2GB", UINT64_C(2) << 30 },
		{ "3tib", UINT64_C(3) << 40 },
		{ "1P", UINT64_C(1) << 50 },
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(number_parse_bytes(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void what_is_no_size_is_refused(void **state)
{
	static const char *const bad[] = { "",    "0",  "-1",  "M",   "1x",   "1MM",      "1 M",
					   "nan", "0x", "0.5", "inf", "1e30", "9000000P", "1KiBs" };
	uint64_t bytes = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number_parse_bytes(bad[i], &bytes), -EINVAL);
	assert_int_equal(bytes, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_in_powers_of_1024),
		cmocka_unit_test(what_is_no_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
