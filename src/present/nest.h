/* SPDX-License-Identifier: MIT */
/*
 * Rows that stand below others.
 */
#ifndef MEMOIR_PRESENT_NEST_H
#define MEMOIR_PRESENT_NEST_H

#include <stddef.h>

/*
 * Put each row behind the one it stands below; those below the same one keep their order. What stands below
 * a row that is not there stands by itself. O(n log n). 0, -ENOMEM.
 */
int nest_rows(const void **rows, size_t count, const void *(*parent)(const void *row));

#endif
