// SPDX-License-Identifier: MIT
/*
 * Sheets: puts rows in order and adds up totals; prints nothing.
 */
#include "present/sheet.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"
#include "present/columns.h"
#include "present/nest.h"
#include "present/rows.h"

/* What a row is sorted by, copied out of its cell. */
struct sort_key {
	const void *row;
	size_t index; /* keeps equal rows in their order */
	enum cell_type type;
	uint64_t number;
	const char *text;
	size_t len;
	char scratch[sizeof(((struct cell *)0)->scratch)];
};

static void take_key(struct sort_key *key, const struct cell *cell)
{
	key->type = cell->type;
	if (cell->type == CELL_PIDS || cell->type == CELL_ROWS) {
		key->number = cell->count;
	} else if (cell->type != CELL_TEXT) {
		key->number = cell->number;
	} else {
		key->len = cell->len;
		key->text = cell->text;
		if (cell->text != cell->scratch)
			return;
		memcpy(key->scratch, cell->scratch, sizeof(key->scratch));
		key->text = NULL; /* the key may be moved: see text_of() */
	}
}

static const char *text_of(const struct sort_key *key)
{
	return key->text ? key->text : key->scratch;
}

static int compare_text(const struct sort_key *a, const struct sort_key *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order = memcmp(text_of(a), text_of(b), len);

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static bool is_amount(enum cell_type type)
{
	return type == CELL_BYTES || type == CELL_COUNT || type == CELL_PIDS || type == CELL_ROWS;
}

/* The largest change first, whichever way; of two of the same size what grew. */
static int compare_deltas(int64_t a, int64_t b)
{
	uint64_t size_a = a < 0 ? -(uint64_t)a : (uint64_t)a;
	uint64_t size_b = b < 0 ? -(uint64_t)b : (uint64_t)b;

	if (size_a != size_b)
		return size_a > size_b ? -1 : 1;
	return (a < b) - (a > b);
}

static int compare_known(const struct sort_key *a, const struct sort_key *b)
{
	if (a->type == CELL_TEXT)
		return compare_text(a, b);
	if (a->type == CELL_DELTA)
		return compare_deltas((int64_t)a->number, (int64_t)b->number);
	int order = (a->number > b->number) - (a->number < b->number);

	return is_amount(a->type) ? -order : order;
}

static int compare_keys(const void *left, const void *right, void *arg)
{
	const struct sort_key *a = *(const struct sort_key *const *)left;
	const struct sort_key *b = *(const struct sort_key *const *)right;
	const bool *reverse = arg;
	int order = 0;

	if ((a->type == CELL_NULL) != (b->type == CELL_NULL))
		return a->type == CELL_NULL ? 1 : -1;
	if (a->type == b->type && a->type != CELL_NULL)
		order = compare_known(a, b);
	if (order)
		return *reverse ? -order : order;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int sort_rows(struct sheet *sheet, const struct column *column, bool reverse)
{
	size_t count = sheet->row_count;
	struct sort_key *keys = calloc(count, sizeof(*keys));
	struct sort_key **order = calloc(count, sizeof(struct sort_key *));

	for (size_t i = 0; keys && order && i < count; i++) {
		struct cell cell;

		column->get(sheet->rows[i], column, sheet->ctx, &cell);
		keys[i].row = sheet->rows[i];
		keys[i].index = i;
		take_key(&keys[i], &cell);
		order[i] = &keys[i];
	}
	if (keys && order) {
		qsort_r(order, count, sizeof(*order), compare_keys, &reverse);
		for (size_t i = 0; i < count; i++)
			sheet->rows[i] = order[i]->row;
	}
	int ret = keys && order ? 0 : -ENOMEM;

	free(keys);
	free(order);
	return ret;
}

static void reverse_rows(struct sheet *sheet)
{
	for (size_t i = 0, j = sheet->row_count; i + 1 < j; i++) {
		const void *row = sheet->rows[i];

		sheet->rows[i] = sheet->rows[--j];
		sheet->rows[j] = row;
	}
}

static void add_total(struct cell *total, const struct cell *cell)
{
	if (cell->type == CELL_NULL || cell->apart)
		return;
	if (total->type == CELL_NULL)
		cell_number(total, cell->type, 0);
	if (cell->type == CELL_DELTA) {
		if (__builtin_add_overflow(total->delta, cell->delta, &total->delta))
			total->delta = cell->delta < 0 ? INT64_MIN : INT64_MAX;
		return;
	}
	if (__builtin_add_overflow(total->number, cell->number, &total->number))
		total->number = UINT64_MAX;
}

struct summing {
	struct sheet *sheet;
	const struct table_model *model;
	pthread_mutex_t lock; /* around the totals */
};

static void sum_column(const struct summing *s, size_t column, size_t from, size_t to,
		       struct cell *total)
{
	struct cell cell;

	for (size_t row = from; row < to; row++) {
		/* It is part of what it stands below. */
		if (s->model->parent && s->model->parent(s->sheet->rows[row]))
			continue;
		cell.apart = false;
		sheet_cell(s->sheet, row, column, &cell);
		/* Most sizes and counts of very many rows are nothing. */
		if (cell.type != total->type || cell.delta || cell.apart)
			add_total(total, &cell);
	}
}

static void sum_part(size_t from, size_t to, void *arg)
{
	struct summing *s = arg;

	for (size_t c = 0; c < s->sheet->column_count; c++) {
		struct cell total = { .type = CELL_NULL };

		if (!(s->sheet->columns[c]->flags & COLUMN_SUMMED))
			continue;
		sum_column(s, c, from, to, &total);
		pthread_mutex_lock(&s->lock);
		add_total(&s->sheet->totals[c], &total);
		pthread_mutex_unlock(&s->lock);
	}
}

static void sum_totals(struct sheet *sheet, const struct table_model *model)
{
	struct summing s = { .sheet = sheet, .model = model };

	pthread_mutex_init(&s.lock, NULL);
	rows_split(sheet, sum_part, &s);
	pthread_mutex_destroy(&s.lock);
}

int shape_check(const struct shape *shape, const struct table_model *model,
		struct memoir_error *error)
{
	const struct column **columns;
	const struct column *key;
	size_t count;
	int ret = columns_pick(model, shape, &columns, &count, error);

	if (ret < 0)
		return ret;
	free(columns);
	return columns_sort_key(model, shape, &key, error);
}

static int put_in_order(struct sheet *sheet, const struct column *key, const struct shape *shape)
{
	if (key && sheet->row_count > 1)
		return sort_rows(sheet, key, shape->reverse);
	if (shape->reverse)
		reverse_rows(sheet);
	return 0;
}

const void **sheet_rows(const void *array, size_t count, size_t size)
{
	const void **rows = calloc(count + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < count; i++)
		rows[i] = (const char *)array + i * size;
	return rows;
}

int sheet_make(const struct table_model *model, const struct shape *shape, const void **rows,
	       size_t row_count, const void *ctx, struct sheet *ret_sheet,
	       struct memoir_error *error)
{
	struct sheet sheet = {
		.rows = rows,
		.row_count = row_count,
		.ctx = ctx,
		.pure = model->pure,
	};
	const struct column *key;
	int ret = columns_sort_key(model, shape, &key, error);

	if (ret == 0)
		ret = columns_pick(model, shape, &sheet.columns, &sheet.column_count, error);
	if (ret < 0)
		return ret;
	sheet.totals = calloc(sheet.column_count + 1, sizeof(*sheet.totals));
	if (!sheet.totals || put_in_order(&sheet, key, shape) < 0 ||
	    (model->parent && nest_rows(rows, row_count, model->parent) < 0)) {
		sheet_free(&sheet);
		return error_set(error, -ENOMEM, "out of memory");
	}
	if (!shape->without_totals)
		sum_totals(&sheet, model);
	if (sheet.row_count > shape->head)
		sheet.row_count = shape->head;
	*ret_sheet = sheet;
	return 0;
}

void sheet_free(struct sheet *sheet)
{
	if (!sheet)
		return;
	free(sheet->columns);
	free(sheet->totals);
	*sheet = (struct sheet){ 0 };
}
