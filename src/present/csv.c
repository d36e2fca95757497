// SPDX-License-Identifier: MIT
/*
 * The CSV writer; decides no columns and opens no file.
 */
#include "present/csv.h"

#include <errno.h>

#include "base/utf8.h"
#include "present/escape.h"
#include "present/number.h"
#include "present/rows.h"

static bool needs_quotes(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == ',' || text[i] == '"' || text[i] == '\r' || text[i] == '\n')
			return true;
	/* An empty string is not an unknown cell. */
	return len == 0;
}

static void write_characters(struct out *out, const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint32_t code;
		size_t size = utf8_decode(text + at, len - at, &code);

		if (size && code == '"')
			out_char(out, '"');
		if (size)
			out_bytes(out, text + at, size);
		else
			out_text(out, "\xef\xbf\xbd");
		at += size ? size : 1;
	}
}

static void write_text(struct out *out, const char *text, size_t len)
{
	bool quotes = needs_quotes(text, len);

	if (quotes)
		out_char(out, '"');
	if (utf8_plain(text, len) == len)
		out_bytes(out, text, len);
	else
		write_characters(out, text, len);
	if (quotes)
		out_char(out, '"');
}

static void write_escaped(struct out *out, const struct cell *cell, bool utf8)
{
	struct buffer buffer = { 0 };
	size_t width;

	if (escape_terminal(&buffer, cell->text, cell->len, utf8, &width) == 0)
		write_text(out, buffer.len ? buffer.data : "", buffer.len);
	else
		out->error = -ENOMEM;
	buffer_free(&buffer);
}

static void write_pids(struct out *out, const struct cell *cell)
{
	for (size_t i = 0; i < cell->count; i++) {
		if (i)
			out_char(out, ' ');
		out_advance(out,
			    number_decimal((uint64_t)cell->pids[i], out_reserve(out, NUMBER_MAX)));
	}
}

static void write_cell(struct out *out, const struct cell *cell, const struct csv_options *options)
{
	switch (cell->type) {
	case CELL_BYTES:
	case CELL_COUNT:
	case CELL_NUMBER:
		out_advance(out, number_decimal(cell->number, out_reserve(out, NUMBER_MAX)));
		break;
	case CELL_DELTA:
		out_advance(out, number_signed(cell->delta, out_reserve(out, NUMBER_MAX)));
		break;
	case CELL_TEXT:
		if (options->to_terminal)
			write_escaped(out, cell, options->utf8);
		else
			write_text(out, cell->text, cell->len);
		break;
	case CELL_ADDRESS:
		out_advance(out, number_hex(cell->number, 8, out_reserve(out, NUMBER_MAX)));
		break;
	case CELL_ID:
		out_advance(out, number_hex(cell->number, 16, out_reserve(out, NUMBER_MAX)));
		break;
	case CELL_BOOL:
		out_text(out, cell->number ? "true" : "false");
		break;
	case CELL_PIDS:
		write_pids(out, cell);
		break;
	case CELL_ROWS:
		out_advance(out, number_decimal(cell->count, out_reserve(out, NUMBER_MAX)));
		break;
	case CELL_NULL:
		break;
	}
}

static void write_heading(struct out *out, const struct sheet *sheet)
{
	for (size_t c = 0; c < sheet->column_count; c++) {
		if (c)
			out_char(out, ',');
		out_text(out, sheet->columns[c]->name);
	}
	out_text(out, "\r\n");
}

struct csv_rows {
	const struct sheet *sheet;
	const struct csv_options *options;
};

static void write_part(struct out *out, size_t from, size_t to, void *arg)
{
	const struct csv_rows *rows = arg;
	struct cell cell;

	for (size_t row = from; row < to; row++) {
		for (size_t c = 0; c < rows->sheet->column_count; c++) {
			if (c)
				out_char(out, ',');
			sheet_cell(rows->sheet, row, c, &cell);
			write_cell(out, &cell, rows->options);
		}
		out_text(out, "\r\n");
	}
}

void csv_write(struct out *out, const struct sheet *sheet, const struct csv_options *options)
{
	struct csv_rows rows = { sheet, options };

	if (!options->no_heading)
		write_heading(out, sheet);
	rows_write(out, sheet, write_part, &rows);
}
