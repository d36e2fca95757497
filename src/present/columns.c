// SPDX-License-Identifier: MIT
/*
 * Columns by what the user calls them: -o and -s; reads no rows.
 */
#include "present/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/error.h"

#define UNIT "_bytes"
#define UNIT_LEN (sizeof(UNIT) - 1)

static bool is_called(const struct column *column, const char *name, size_t len)
{
	size_t own = strlen(column->name);

	if (strncmp(column->name, name, len) != 0)
		return false;
	return own == len || (own == len + UNIT_LEN && strcmp(column->name + len, UNIT) == 0);
}

/* What people see above it, in any letters: after all names, which that may be of another column. */
static bool is_headed(const struct column *column, const char *name, size_t len)
{
	return strlen(column->head) == len && strncasecmp(column->head, name, len) == 0;
}

const struct column *column_find(const struct table_model *model, const char *name, size_t len)
{
	for (size_t i = 0; len && i < model->column_count; i++)
		if (is_called(&model->columns[i], name, len))
			return &model->columns[i];
	for (size_t i = 0; len && i < model->column_count; i++)
		if (is_headed(&model->columns[i], name, len))
			return &model->columns[i];
	return NULL;
}

static int no_such_column(const struct table_model *model, const char *name, size_t len,
			  struct memoir_error *error)
{
	char list[400] = "";
	size_t used = 0;

	for (size_t i = 0; i < model->column_count; i++) {
		const char *own = model->columns[i].name;
		size_t size = strlen(own);

		if (used + size + 2 > sizeof(list))
			break;
		if (used)
			list[used++] = ' ';
		memcpy(list + used, own, size + 1);
		used += size;
	}
	return error_set(error, -EINVAL, "there is no column '%.*s'; there are %s",
			 len < 64 ? (int)len : 64, name, list);
}

struct picked {
	const struct column **columns;
	size_t count;
};

static void pick(struct picked *picked, const struct column *column)
{
	for (size_t i = 0; i < picked->count; i++)
		if (picked->columns[i] == column)
			return;
	picked->columns[picked->count++] = column;
}

static int pick_list(struct picked *picked, const struct table_model *model, const char *list,
		     struct memoir_error *error)
{
	for (const char *at = list;;) {
		size_t len = strcspn(at, ",");
		const struct column *column = column_find(model, at, len);

		if (!column)
			return no_such_column(model, at, len, error);
		pick(picked, column);
		at += len;
		if (!*at++)
			return 0;
	}
}

static int pick_default(struct picked *picked, const struct table_model *model, bool for_eyes,
			struct memoir_error *error)
{
	if (for_eyes && model->shown)
		return pick_list(picked, model, model->shown, error);
	for (size_t i = 0; i < model->column_count; i++)
		if (!(model->columns[i].flags & COLUMN_FOR_EYES))
			pick(picked, &model->columns[i]);
	return 0;
}

int columns_pick(const struct table_model *model, const struct shape *shape,
		 const struct column ***ret_columns, size_t *ret_count, struct memoir_error *error)
{
	struct picked picked = { calloc(model->column_count, sizeof(*picked.columns)), 0 };
	const char *list = shape->columns;
	int ret = 0;

	if (!picked.columns)
		return error_set(error, -ENOMEM, "out of memory");
	if (!list || *list == '+')
		ret = pick_default(&picked, model, shape->for_eyes, error);
	if (ret == 0 && list)
		ret = pick_list(&picked, model, list + (*list == '+'), error);
	if (ret < 0) {
		free(picked.columns);
		return ret;
	}
	*ret_columns = picked.columns;
	*ret_count = picked.count;
	return 0;
}

int columns_sort_key(const struct table_model *model, const struct shape *shape,
		     const struct column **ret_column, struct memoir_error *error)
{
	const char *name = shape->sort ? shape->sort : model->sort;
	const struct column *column = name ? column_find(model, name, strlen(name)) : NULL;

	if (name && !column)
		return no_such_column(model, name, strlen(name), error);
	*ret_column = column;
	return 0;
}
