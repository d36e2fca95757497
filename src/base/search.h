/* SPDX-License-Identifier: MIT */
/*
 * Searching sorted arrays for where something is or would be, which bsearch() doesn't tell.
 */
#ifndef MEMOIR_BASE_SEARCH_H
#define MEMOIR_BASE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* The index of the first element that is not before the key, or `count`. */
static inline size_t lower_bound(const void *array, size_t count, size_t size,
				 bool (*is_before)(const void *element, const void *key),
				 const void *key)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_before((const char *)array + middle * size, key))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#endif
