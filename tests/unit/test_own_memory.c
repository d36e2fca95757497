// SPDX-License-Identifier: MIT
/*
 * Room for large arrays.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kernel/own_memory.h"

#define HUGE_BYTES ((size_t)2 << 20)

static void arrays_have_all_their_bytes(void **state)
{
	static const size_t sizes[] = {
		1,          4096,           HUGE_BYTES / 4 - 1, HUGE_BYTES / 4,
		HUGE_BYTES, HUGE_BYTES + 1, 3 * HUGE_BYTES,     5 * HUGE_BYTES - 7
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *array = own_memory_array(sizes[i]);

		assert_non_null(array);
		memset(array, (int)i + 1, sizes[i]);
		assert_int_equal(array[0], i + 1);
		assert_int_equal(array[sizes[i] - 1], i + 1);
		free(array);
	}
}

/* Else their first part, up to 2 MiB, would be faulted in by pages. */
static void large_arrays_begin_with_a_huge_page(void **state)
{
	(void)state;
	for (size_t bytes = 2 * HUGE_BYTES; bytes < 8 * HUGE_BYTES; bytes += HUGE_BYTES / 2) {
		char *array = own_memory_array(bytes);

		assert_int_equal((uintptr_t)array % HUGE_BYTES, 0);
		free(array);
	}
}

/* As captures do, one after the other, and something small stays of each. */
static void what_was_freed_is_had_again(void **state)
{
	void *kept[40];

	(void)state;
	/* Below this size malloc() maps nothing from now on, but has its heap grow. */
	free(own_memory_array(5 * HUGE_BYTES));
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		void *one = own_memory_array(HUGE_BYTES / 2), *other = own_memory_array(HUGE_BYTES);

		kept[i] = malloc(3000);
		free(one);
		free(other);
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		free(kept[i]);
#ifndef __SANITIZE_ADDRESS__
	assert_true(mallinfo2().arena < 8 * HUGE_BYTES);
#endif
}

static void what_nobody_has_is_refused(void **state)
{
	(void)state;
	assert_null(own_memory_array(SIZE_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_have_all_their_bytes),
		cmocka_unit_test(large_arrays_begin_with_a_huge_page),
		cmocka_unit_test(what_was_freed_is_had_again),
		cmocka_unit_test(what_nobody_has_is_refused),
	};

	return cmocka_run_group_tests_name("own_memory", tests, NULL, NULL);
}
