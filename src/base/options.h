/* SPDX-License-Identifier: MIT */
/*
 * Structs of options that begin with their size.
 */
#ifndef MEMOIR_BASE_OPTIONS_H
#define MEMOIR_BASE_OPTIONS_H

#include <stddef.h>

#include <memoir/memoir.h>

/*
 * Copy `given`, of given_bytes, over the defaults in `set`. 0; -EINVAL: no size; -E2BIG: fields that this
 * version does not know.
 */
int options_copy(void *set, size_t set_bytes, const void *given, size_t given_bytes,
		 const char *what, struct memoir_error *error);

#endif
