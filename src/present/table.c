// SPDX-License-Identifier: MIT
/*
 * The table printer; decides no columns and opens no file.
 *
 * All cells are made twice, first to see how wide columns get, then where they are printed: for 60,000
 * rows of 12 columns that is faster than to keep them, and libsmartcols takes 600 ms.
 */
#include "present/table.h"

#include <errno.h>
#include <pthread.h>

#include "base/utf8.h"
#include "present/escape.h"
#include "present/number.h"
#include "present/rows.h"

struct table_column {
	const struct column *column;
	bool right;   /* aligned */
	size_t width; /* of its widest cell */
};

struct layout {
	const struct sheet *sheet;
	const struct table_options *options;
	struct table_column *columns;
	pthread_mutex_t lock; /* around the widths while rows are measured, and: */
	int error;
};

/* What a column showed last: most often the next row has the same. */
struct recent {
	enum cell_type type;
	uint64_t number;
	size_t len;            /* 0: there was no number */
	char text[NUMBER_MAX]; /* the number, with blanks before it */
	const char *plain; /* text of so many bytes that is shown as it is, NULL: there was none */
	size_t plain_len;
	size_t width; /* of the widest, while they are measured */
};

/* Makes cells, of some rows, one after the other. */
struct painter {
	const struct layout *layout;
	struct recent *recent; /* by column */
	struct buffer text;    /* of a cell that has to be put together */
};

static int painter_init(struct painter *painter, const struct layout *layout)
{
	*painter = (struct painter){ .layout = layout };
	painter->recent = calloc(layout->sheet->column_count + 1, sizeof(*painter->recent));
	return painter->recent ? 0 : -ENOMEM;
}

static void painter_free(struct painter *painter)
{
	free(painter->recent);
	buffer_free(&painter->text);
}

/* ---- cells ---------------------------------------------------------------------------------- */

static int render_pids(struct buffer *buffer, const struct cell *cell)
{
	for (size_t i = 0; i < cell->count; i++) {
		char *at = buffer_reserve(buffer, NUMBER_MAX + 1);

		if (!at)
			return -ENOMEM;
		if (i) {
			*at++ = ',';
			buffer->len++;
		}
		buffer->len += number_decimal((uint64_t)cell->pids[i], at);
	}
	return cell->count ? 0 : buffer_add(buffer, "-", 1);
}

static size_t render_number(const struct cell *cell, bool plain_bytes, char *at)
{
	switch (cell->type) {
	case CELL_BYTES:
		return plain_bytes ? number_decimal(cell->number, at)
				   : number_bytes(cell->number, at);
	case CELL_DELTA:
		return number_delta(cell->delta, plain_bytes, at);
	case CELL_COUNT:
	case CELL_NUMBER:
		return number_decimal(cell->number, at);
	case CELL_ADDRESS:
		return number_hex(cell->number, 8, at);
	case CELL_ID:
		return number_hex(cell->number, 16, at);
	case CELL_BOOL:
		memcpy(at, cell->number ? "yes" : "no", 4 - !cell->number);
		return cell->number ? 3 : 2;
	case CELL_ROWS:
		return number_decimal(cell->count, at);
	default:
		*at = '-';
		return 1;
	}
}

static bool is_number(const struct cell *cell)
{
	return cell->type != CELL_TEXT && cell->type != CELL_PIDS;
}

static uint64_t number_of(const struct cell *cell)
{
	return cell->type == CELL_NULL ? 0 : cell->number;
}

static bool is_recent(const struct recent *recent, const struct cell *cell)
{
	return recent->len && recent->type == cell->type && recent->number == number_of(cell);
}

/*
 * Whether all of a text is shown as it is. Text that lies where the last one did is the same, as what getters keep
 * nothing of can't have changed meanwhile; but for what they wrote into the cell.
 */
static inline bool is_plain(struct painter *painter, size_t column, const struct cell *cell)
{
	struct recent *recent = &painter->recent[column];

	if (cell->type != CELL_TEXT)
		return false;
	if (cell->text == recent->plain && cell->len == recent->plain_len)
		return true;
	if (utf8_plain(cell->text, cell->len) != cell->len)
		return false;
	if (painter->layout->sheet->pure && cell->text != cell->scratch) {
		recent->plain = cell->text;
		recent->plain_len = cell->len;
	}
	return true;
}

/* What a cell shows that is no number; good until the next is asked for. */
static int show_text(struct painter *painter, size_t column, const struct cell *cell,
		     const char **ret_text, size_t *ret_len, size_t *ret_width)
{
	struct buffer *text = &painter->text;
	int ret;

	*ret_text = cell->text;
	*ret_len = *ret_width = cell->len;
	if (is_plain(painter, column, cell))
		return 0;
	text->len = 0;
	ret = cell->type == CELL_TEXT ? escape_terminal(text, cell->text, cell->len,
							painter->layout->options->utf8, ret_width)
				      : render_pids(text, cell);
	*ret_text = text->data;
	*ret_len = text->len;
	if (cell->type != CELL_TEXT)
		*ret_width = text->len;
	return ret;
}

static bool is_right_aligned(const struct column *column)
{
	return column->type == CELL_BYTES || column->type == CELL_DELTA ||
	       column->type == CELL_COUNT || column->type == CELL_NUMBER ||
	       column->type == CELL_ADDRESS || column->type == CELL_ROWS ||
	       (column->flags & COLUMN_RIGHT);
}

/* ---- widths --------------------------------------------------------------------------------- */

/* Of whole numbers the larger one is the wider one; it stands for the others. */
static bool is_narrower(const struct recent *recent, const struct cell *cell)
{
	return recent->type == cell->type && recent->number > cell->number &&
	       (cell->type == CELL_ADDRESS || cell->type == CELL_NUMBER ||
		cell->type == CELL_COUNT);
}

static int measure_cell(struct painter *painter, size_t column, const struct cell *cell)
{
	struct recent *recent = &painter->recent[column];
	const char *text;
	size_t len, shown;
	int ret = 0;

	if (!is_number(cell)) {
		ret = show_text(painter, column, cell, &text, &len, &shown);
	} else if (is_recent(recent, cell) || is_narrower(recent, cell)) {
		return 0;
	} else {
		recent->type = cell->type;
		recent->number = number_of(cell);
		recent->len = shown =
			render_number(cell, painter->layout->options->plain_bytes, recent->text);
	}
	if (ret == 0 && recent->width < shown)
		recent->width = shown;
	return ret;
}

static void note_widths(struct layout *layout, const struct painter *painter, int error)
{
	pthread_mutex_lock(&layout->lock);
	for (size_t c = 0; c < layout->sheet->column_count && painter->recent; c++)
		if (layout->columns[c].width < painter->recent[c].width)
			layout->columns[c].width = painter->recent[c].width;
	if (error)
		layout->error = error;
	pthread_mutex_unlock(&layout->lock);
}

/* By columns: what comes next is then most often like what was. Upwards: most numbers get larger downwards. */
static void measure_rows(size_t from, size_t to, void *arg)
{
	struct layout *layout = arg;
	struct painter painter;
	struct cell cell;
	int ret = painter_init(&painter, layout);

	for (size_t c = 0; c < layout->sheet->column_count; c++)
		for (size_t row = to; row-- > from && ret == 0;) {
			sheet_cell(layout->sheet, row, c, &cell);
			ret = measure_cell(&painter, c, &cell);
		}
	note_widths(layout, &painter, ret);
	painter_free(&painter);
}

/* ---- lines ---------------------------------------------------------------------------------- */

#define BLANKS 32u

/* As many are written, as a fixed length is faster, and then so many are taken. */
static inline char *put_blanks(char *to, size_t count)
{
	memset(to, ' ', BLANKS);
	return to + count;
}

static void print_blanks(struct out *out, size_t count)
{
	while (count) {
		size_t part = count < BLANKS ? count : BLANKS;

		(void)put_blanks(out_reserve(out, BLANKS), part);
		out_advance(out, part);
		count -= part;
	}
}

/* None where a getter says more than it said when columns were measured. */
static size_t blanks_for(const struct table_column *column, size_t width)
{
	return column->width > width ? column->width - width : 0;
}

/* A number with its blanks, as far as there is room. */
static void make_recent(const struct painter *painter, struct recent *recent, size_t column,
			const struct cell *cell)
{
	const struct table_column *tc = &painter->layout->columns[column];
	char text[NUMBER_MAX];
	size_t len = render_number(cell, painter->layout->options->plain_bytes, text);
	size_t pad = tc->right && tc->width <= NUMBER_MAX ? blanks_for(tc, len) : 0;

	recent->type = cell->type;
	recent->number = number_of(cell);
	memset(recent->text, ' ', pad);
	memcpy(recent->text + pad, text, len);
	recent->len = pad + len;
}

/*
 * Print a cell. Blanks are owed until text follows, so that no line ends in them: those before this cell go
 * into *owed, and what is in it afterwards stands before the next.
 */
static inline void print_number(struct painter *painter, struct out *out, size_t column,
				const struct cell *cell, size_t *owed)
{
	const struct table_column *tc = &painter->layout->columns[column];
	struct recent *recent = &painter->recent[column];

	if (!is_recent(recent, cell))
		make_recent(painter, recent, column, cell);
	size_t pad = blanks_for(tc, recent->len);

	if (tc->right)
		*owed += pad;
	if (*owed > BLANKS) {
		print_blanks(out, *owed);
		*owed = 0;
	}
	char *start = out_reserve(out, BLANKS + NUMBER_MAX), *at = put_blanks(start, *owed);

	memcpy(at, recent->text, NUMBER_MAX);
	out_advance(out, *owed + recent->len);
	*owed = (tc->right ? 0 : pad) + 1;
}

static int print_text(struct painter *painter, struct out *out, size_t column,
		      const struct cell *cell, size_t *owed)
{
	const struct table_column *tc = &painter->layout->columns[column];
	size_t len, width;
	const char *text;
	int ret = show_text(painter, column, cell, &text, &len, &width);

	if (ret < 0)
		return ret;
	size_t pad = blanks_for(tc, width);

	*owed += tc->right ? pad : 0;
	if (len) {
		print_blanks(out, *owed);
		out_bytes(out, text, len);
		*owed = 0;
	}
	*owed += (tc->right ? 0 : pad) + 1;
	return 0;
}

static inline int print_cell(struct painter *painter, struct out *out, size_t column,
			     const struct cell *cell, size_t *owed)
{
	if (!is_number(cell))
		return print_text(painter, out, column, cell, owed);
	print_number(painter, out, column, cell, owed);
	return 0;
}

static void print_rows(struct out *out, size_t from, size_t to, void *arg)
{
	const struct layout *layout = arg;
	struct painter painter;
	struct cell cell;
	int ret = painter_init(&painter, layout);

	for (size_t row = from; row < to && ret == 0; row++) {
		size_t owed = 0;

		for (size_t c = 0; c < layout->sheet->column_count && ret == 0; c++) {
			sheet_cell(layout->sheet, row, c, &cell);
			ret = print_cell(&painter, out, c, &cell, &owed);
		}
		out_char(out, '\n');
	}
	if (ret < 0 && !out->error)
		out->error = ret;
	painter_free(&painter);
}

/* ---- the heading and the totals ------------------------------------------------------------- */

static void heading_cell(const struct layout *layout, size_t column, struct cell *ret_cell)
{
	cell_text(ret_cell, layout->columns[column].column->head);
}

/* Totals under their columns, and the word "total" in the first column that has none. */
static void total_cell(const struct layout *layout, size_t column, struct cell *ret_cell)
{
	bool said = false;

	for (size_t c = 0; c < column; c++)
		said |= !(layout->columns[c].column->flags & COLUMN_SUMMED);
	if (layout->columns[column].column->flags & COLUMN_SUMMED)
		*ret_cell = layout->sheet->totals[column];
	else
		cell_text(ret_cell, said ? "" : "total");
}

/* One of the two: measured, or where there is an `out`, printed. */
static void do_line(struct layout *layout, struct out *out,
		    void (*get)(const struct layout *layout, size_t column, struct cell *ret_cell))
{
	struct painter painter;
	struct cell cell;
	size_t owed = 0;
	int ret = painter_init(&painter, layout);

	for (size_t c = 0; c < layout->sheet->column_count && ret == 0; c++) {
		get(layout, c, &cell);
		ret = out ? print_cell(&painter, out, c, &cell, &owed)
			  : measure_cell(&painter, c, &cell);
	}
	note_widths(layout, &painter, ret);
	painter_free(&painter);
}

static void measure_all(struct layout *layout)
{
	if (!layout->options->no_heading)
		do_line(layout, NULL, heading_cell);
	if (layout->options->totals)
		do_line(layout, NULL, total_cell);
	rows_split(layout->sheet, measure_rows, layout);
}

static void print_all(struct layout *layout, struct out *out)
{
	bool bold = layout->options->bold_heading;

	if (!layout->options->no_heading) {
		out_text(out, bold ? "\033[1m" : "");
		do_line(layout, out, heading_cell);
		out_text(out, bold ? "\033[0m\n" : "\n");
	}
	rows_write(out, layout->sheet, print_rows, layout);
	if (layout->options->totals) {
		do_line(layout, out, total_cell);
		out_char(out, '\n');
	}
}

int table_write(struct out *out, const struct sheet *sheet, const struct table_options *options)
{
	struct layout layout = { .sheet = sheet, .options = options };

	layout.columns = calloc(sheet->column_count + 1, sizeof(*layout.columns));
	if (!layout.columns)
		return -ENOMEM;
	for (size_t c = 0; c < sheet->column_count; c++)
		layout.columns[c] = (struct table_column){
			.column = sheet->columns[c],
			.right = is_right_aligned(sheet->columns[c]),
		};
	pthread_mutex_init(&layout.lock, NULL);
	measure_all(&layout);
	if (layout.error == 0)
		print_all(&layout, out);
	pthread_mutex_destroy(&layout.lock);
	free(layout.columns);
	return layout.error;
}
