// SPDX-License-Identifier: MIT
/*
 * Advice on memoir's own memory; failing to take it changes nothing but speed.
 */
#include "kernel/own_memory.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_BYTES (2u << 20)

void own_memory_huge(void *array, size_t bytes)
{
	uintptr_t start = ((uintptr_t)array + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
	uintptr_t end = ((uintptr_t)array + bytes) & ~(uintptr_t)(HUGE_BYTES - 1);

	if (end > start)
		madvise((void *)start, end - start, MADV_HUGEPAGE);
}
