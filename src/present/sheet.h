/* SPDX-License-Identifier: MIT */
/*
 * A sheet: the columns and rows that are really printed, after -o, -s, -r and -n.
 */
#ifndef MEMOIR_PRESENT_SHEET_H
#define MEMOIR_PRESENT_SHEET_H

#include <memoir/memoir.h>

#include "present/column.h"

/* What the user asked for; all zero (and head SHEET_ALL) is nothing special. */
struct shape {
	const char *columns; /* "a,b", "+a,b" or NULL */
	const char *sort;    /* a column or NULL */
	bool reverse;
	size_t head;   /* at most so many rows */
	bool for_eyes; /* a table: its default columns; else all */
	bool without_totals;
};

#define SHEET_ALL SIZE_MAX

struct sheet {
	const struct column **columns;
	size_t column_count;
	const void **rows; /* the caller's array, in the order asked for */
	size_t row_count;
	const void *ctx;     /* for get() */
	bool pure;           /* see struct table_model */
	struct cell *totals; /* one per column; CELL_NULL where there is none */
};

/*
 * Whether columns and sort key exist. 0, or -EINVAL with a sentence that lists the columns. Needs no
 * rows, so that a typing mistake is told before anything is captured.
 */
int shape_check(const struct shape *shape, const struct table_model *model,
		struct memoir_error *error);

/* A pointer to each of `count` elements of `size` bytes, to be freed; NULL: no memory. */
const void **sheet_rows(const void *array, size_t count, size_t size);

/*
 * Make a sheet of these rows. Sorts `rows` in place (stable; sizes and counts downwards, changes by
 * their size, all else upwards, unknown cells last) and keeps pointing at them. Where the model has parents, each
 * row is followed by those below it, and they are in order among themselves. Totals are those of all rows
 * that are below none, not only of the first ones that `head` leaves; none with shape->without_totals. 0,
 * -EINVAL, -ENOMEM.
 */
int sheet_make(const struct table_model *model, const struct shape *shape, const void **rows,
	       size_t row_count, const void *ctx, struct sheet *ret_sheet,
	       struct memoir_error *error);
void sheet_free(struct sheet *sheet);

/* The cell of a row in a column. */
static inline void sheet_cell(const struct sheet *sheet, size_t row, size_t column,
			      struct cell *ret_cell)
{
	const struct column *c = sheet->columns[column];

	c->get(sheet->rows[row], c, sheet->ctx, ret_cell);
}

#endif
