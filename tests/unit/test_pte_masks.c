// SPDX-License-Identifier: MIT
/*
 * Masks of page table entries against looking at each: entries of all kinds, in any number and at any address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/pte_masks.h"

#define ROUNDS 20000

static uint64_t any_entry(void)
{
	const uint64_t kinds[] = {
		0,
		PTE_BIT_PRESENT,
		PTE_BIT_PRESENT | PTE_BIT_SPECIAL,
		PTE_BIT_PROTNONE,
		PTE_BIT_PROTNONE | PTE_BIT_SPECIAL,
		PTE_BIT_SPECIAL,
		1ull << 63,
		PTE_BIT_PRESENT | 1ull << 63,
		1ull << 31,
		1ull << 32,
	};
	uint64_t entry = kinds[(size_t)rand() % (sizeof(kinds) / sizeof(*kinds))];

	/* Frames, swap offsets, and attributes that tell nothing here. */
	return rand() % 2 ? entry
			  : entry | (uint64_t)rand() << 33 | (uint64_t)(rand() & 0xfe) << 12;
}

static void masks_are_what_each_entry_is(void **state)
{
	uint64_t entries[PTE_MASK_ENTRIES + 1];

	(void)state;
	srand(1);
	for (size_t round = 0; round < ROUNDS; round++) {
		size_t n = (size_t)rand() % (PTE_MASK_ENTRIES + 1), from = round % 2;

		for (size_t i = 0; i <= PTE_MASK_ENTRIES; i++)
			entries[i] = any_entry();
		struct pte_masks masks = pte_masks(entries + from, n);

		for (size_t i = 0; i < PTE_MASK_ENTRIES; i++) {
			uint64_t entry = i < n ? entries[from + i] : 0;

			assert_int_equal(masks.counted >> i & 1, pte_counted(entry));
			assert_int_equal(masks.odd >> i & 1, entry && !pte_present(entry));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(masks_are_what_each_entry_is) };

	return cmocka_run_group_tests_name("pte masks", tests, NULL, NULL);
}
