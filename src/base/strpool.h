/* SPDX-License-Identifier: MIT */
/*
 * Interned strings: equal bytes get the same pointer, all freed together.
 */
#ifndef MEMOIR_BASE_STRPOOL_H
#define MEMOIR_BASE_STRPOOL_H

#include <stddef.h>

struct strpool;

struct strpool *strpool_new(void);
void strpool_free(struct strpool *pool);

/* The pool's copy of these bytes, NUL added (bytes after a NUL inside are lost); NULL: no memory. */
const char *strpool_add(struct strpool *pool, const char *bytes, size_t len);

#endif
