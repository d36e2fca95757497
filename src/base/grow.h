/* SPDX-License-Identifier: MIT */
/*
 * Growing arrays: one function for all element sizes.
 */
#ifndef MEMOIR_BASE_GROW_H
#define MEMOIR_BASE_GROW_H

#include <stddef.h>

/*
 * Make room for `need` elements of `size` bytes; doubles, so that appending is O(1) on average.
 * Returns the array (moved or not) and updates *room, or NULL (array untouched) when out of memory
 * or when the size overflows.
 */
void *grow(void *array, size_t *room, size_t need, size_t size);

#endif
