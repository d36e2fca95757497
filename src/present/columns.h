/* SPDX-License-Identifier: MIT */
/*
 * Columns by what the user calls them.
 */
#ifndef MEMOIR_PRESENT_COLUMNS_H
#define MEMOIR_PRESENT_COLUMNS_H

#include <memoir/memoir.h>

#include "present/sheet.h"

/* The column called so ("pss" is as good as "pss_bytes", or what stands above it in any letters), or NULL. */
const struct column *column_find(const struct table_model *model, const char *name, size_t len);

/*
 * The columns of a shape, in order, each once. Into *ret_columns, to be freed by free().
 * 0; -EINVAL: no such column, the sentence lists them; -ENOMEM.
 */
int columns_pick(const struct table_model *model, const struct shape *shape,
		 const struct column ***ret_columns, size_t *ret_count, struct memoir_error *error);

/* The column to sort by, or NULL in *ret_column for none. 0 or -EINVAL. */
int columns_sort_key(const struct table_model *model, const struct shape *shape,
		     const struct column **ret_column, struct memoir_error *error);

#endif
