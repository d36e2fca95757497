// SPDX-License-Identifier: MIT
/*
 * Growing arrays; never frees what it could not replace.
 */
#include "base/grow.h"

#include <stdlib.h>

void *grow(void *array, size_t *room, size_t need, size_t size)
{
	size_t next = *room ? *room : 16;
	size_t bytes;

	if (need <= *room)
		return array;
	while (next < need)
		if (__builtin_mul_overflow(next, 2, &next))
			return NULL;
	if (__builtin_mul_overflow(next, size, &bytes))
		return NULL;
	void *moved = realloc(array, bytes);

	if (!moved)
		return NULL;
	*room = next;
	return moved;
}
