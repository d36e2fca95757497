// SPDX-License-Identifier: MIT
/*
 * The JSON writer: streams rows without building a tree; decides no columns and opens no file.
 */
#include "present/json.h"

#include "base/utf8.h"
#include "present/number.h"
#include "present/rows.h"

/* A \u escape, as a surrogate pair where one is needed. */
static void write_escape(struct out *out, uint32_t code)
{
	char digits[NUMBER_MAX];

	if (code > 0xffff) {
		write_escape(out, 0xd800 + ((code - 0x10000) >> 10));
		write_escape(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
		return;
	}
	out_text(out, "\\u");
	out_bytes(out, digits, number_hex(code, 4, digits));
}

static void write_character(struct out *out, const char *bytes, size_t len, uint32_t code)
{
	if (code == '"' || code == '\\') {
		out_char(out, '\\');
		out_char(out, (char)code);
	} else if (code == '\n') {
		out_text(out, "\\n");
	} else if (utf8_deceives(code)) {
		write_escape(out, code);
	} else {
		out_bytes(out, bytes, len);
	}
}

static void write_plain(struct out *out, const char *bytes, size_t len)
{
	char *to = out_reserve(out, len + 2);

	*to++ = '"';
	memcpy(to, bytes, len);
	to[len] = '"';
	out_advance(out, len + 2);
}

/* A string; returns whether all of it was UTF-8. Each byte that is not becomes U+FFFD. */
static bool write_string(struct out *out, const char *bytes, size_t len)
{
	size_t at = utf8_plain(bytes, len);
	bool valid = true;

	if (at == len && len < OUT_RESERVE_MAX - 2) {
		write_plain(out, bytes, len);
		return true;
	}
	out_char(out, '"');
	out_bytes(out, bytes, at);
	while (at < len) {
		uint32_t code;
		size_t size = utf8_decode(bytes + at, len - at, &code);

		if (size) {
			write_character(out, bytes + at, size, code);
			at += size;
		} else {
			out_text(out, "\xef\xbf\xbd");
			valid = false;
			at++;
		}
		size = utf8_plain(bytes + at, len - at);
		out_bytes(out, bytes + at, size);
		at += size;
	}
	out_char(out, '"');
	return valid;
}

static void write_name(struct out *out, const char *name)
{
	out_char(out, '"');
	out_text(out, name);
	out_bytes(out, "\":", 2);
}

/* The raw bytes beside a string that could not show them. */
static void write_hex_field(struct out *out, const char *name, const struct cell *cell)
{
	static const char digits[] = "0123456789abcdef";

	out_bytes(out, ",\"", 2);
	out_text(out, name);
	out_text(out, "_hex\":\"");
	for (size_t i = 0; i < cell->len; i++) {
		unsigned char byte = (unsigned char)cell->text[i];

		out_char(out, digits[byte >> 4]);
		out_char(out, digits[byte & 15]);
	}
	out_char(out, '"');
}

static void write_number(struct out *out, uint64_t number)
{
	out_advance(out, number_decimal(number, out_reserve(out, NUMBER_MAX)));
}

static void write_delta(struct out *out, int64_t delta)
{
	out_advance(out, number_signed(delta, out_reserve(out, NUMBER_MAX)));
}

static void write_quoted_hex(struct out *out, uint64_t number, unsigned int digits)
{
	out_char(out, '"');
	out_advance(out, number_hex(number, digits, out_reserve(out, NUMBER_MAX)));
	out_char(out, '"');
}

static void write_pids(struct out *out, const struct cell *cell)
{
	out_char(out, '[');
	for (size_t i = 0; i < cell->count; i++) {
		if (i)
			out_char(out, ',');
		write_number(out, (uint64_t)cell->pids[i]);
	}
	out_char(out, ']');
}

static void write_value(struct out *out, const char *name, const struct cell *cell);

static void write_nested(struct out *out, const struct cell *rows)
{
	const struct nested_rows *nested = rows->nested;
	struct cell cell;

	out_char(out, '[');
	for (size_t i = 0; i < rows->count && !out->error; i++) {
		const char *row = (const char *)rows->rows + i * nested->row_bytes;

		for (size_t c = 0; c < nested->column_count; c++) {
			const struct column *column = &nested->columns[c];

			if (i && !c)
				out_char(out, ',');
			out_char(out, c ? ',' : '{');
			write_name(out, column->name);
			column->get(row, column, NULL, &cell);
			write_value(out, column->name, &cell);
		}
		out_char(out, '}');
	}
	out_char(out, ']');
}

static void write_value(struct out *out, const char *name, const struct cell *cell)
{
	switch (cell->type) {
	case CELL_BYTES:
	case CELL_COUNT:
	case CELL_NUMBER:
		write_number(out, cell->number);
		break;
	case CELL_DELTA:
		write_delta(out, cell->delta);
		break;
	case CELL_TEXT:
		if (!write_string(out, cell->text, cell->len))
			write_hex_field(out, name, cell);
		break;
	case CELL_ADDRESS:
		write_quoted_hex(out, cell->number, 8);
		break;
	case CELL_ID:
		write_quoted_hex(out, cell->number, 16);
		break;
	case CELL_BOOL:
		out_text(out, cell->number ? "true" : "false");
		break;
	case CELL_PIDS:
		write_pids(out, cell);
		break;
	case CELL_ROWS:
		write_nested(out, cell);
		break;
	case CELL_NULL:
		out_bytes(out, "null", 4);
		break;
	}
}

/* ---- rows ----------------------------------------------------------------------------------- */

#define COLUMNS_MAX 64
#define PREFIX_MAX 64

/*
 * What stands before each value of a column, and what a row said last there as a whole, if that was a number:
 * most often the next says the same. Copied whole, as a fixed length is faster.
 */
struct field {
	char text[PREFIX_MAX + NUMBER_MAX];
	size_t prefix_len, len; /* len 0: there was none yet */
	enum cell_type type;
	uint64_t number;
};

struct rows {
	const struct sheet *sheet;
	struct field fields[COLUMNS_MAX];
	size_t count;
};

static void make_prefixes(struct rows *rows)
{
	const struct sheet *sheet = rows->sheet;

	rows->count = sheet->column_count < COLUMNS_MAX ? sheet->column_count : COLUMNS_MAX;
	for (size_t c = 0; c < rows->count; c++) {
		const char *name = sheet->columns[c]->name;
		struct field *field = &rows->fields[c];
		size_t len = 0;

		field->text[len++] = c ? ',' : '{';
		field->text[len++] = '"';
		for (; *name && len < PREFIX_MAX - 2; name++)
			field->text[len++] = *name;
		field->text[len++] = '"';
		field->text[len++] = ':';
		field->prefix_len = len;
	}
}

static void write_prefix(struct out *out, const struct field *field)
{
	memcpy(out_reserve(out, PREFIX_MAX), field->text, PREFIX_MAX);
	out_advance(out, field->prefix_len);
}

static bool is_number(enum cell_type type)
{
	return type == CELL_BYTES || type == CELL_COUNT || type == CELL_NUMBER || type == CELL_NULL;
}

static void write_number_field(struct out *out, struct field *field, const struct cell *cell)
{
	uint64_t number = cell->type == CELL_NULL ? 0 : cell->number;

	if (!field->len || field->type != cell->type || field->number != number) {
		char *at = field->text + field->prefix_len;

		field->type = cell->type;
		field->number = number;
		if (cell->type == CELL_NULL)
			memcpy(at, "null", sizeof("null"));
		field->len = field->prefix_len +
			     (cell->type == CELL_NULL ? 4 : number_decimal(number, at));
	}
	char *at = out_reserve(out, sizeof(field->text));

	memcpy(at, field->text, PREFIX_MAX);
	if (field->len > PREFIX_MAX)
		memcpy(at + PREFIX_MAX, field->text + PREFIX_MAX, NUMBER_MAX);
	out_advance(out, field->len);
}

static void render_rows(struct out *out, size_t from, size_t to, void *arg)
{
	struct rows rows = *(const struct rows *)arg;
	struct cell cell;

	for (size_t row = from; row < to; row++) {
		out_text(out, row ? ",\n" : "\n");
		for (size_t c = 0; c < rows.count; c++) {
			sheet_cell(rows.sheet, row, c, &cell);
			if (is_number(cell.type)) {
				write_number_field(out, &rows.fields[c], &cell);
				continue;
			}
			write_prefix(out, &rows.fields[c]);
			write_value(out, rows.sheet->columns[c]->name, &cell);
		}
		out_char(out, '}');
	}
}

static void write_rows(struct out *out, const struct sheet *sheet)
{
	struct rows rows = { .sheet = sheet };

	make_prefixes(&rows);
	out_char(out, '[');
	rows_write(out, sheet, render_rows, &rows);
	out_char(out, ']');
}

/* ---- what stands around them ---------------------------------------------------------------- */

static void write_totals(struct out *out, const struct sheet *sheet)
{
	bool first = true;

	out_char(out, '{');
	for (size_t c = 0; c < sheet->column_count; c++) {
		if (!(sheet->columns[c]->flags & COLUMN_SUMMED))
			continue;
		if (!first)
			out_char(out, ',');
		write_name(out, sheet->columns[c]->name);
		write_value(out, sheet->columns[c]->name, &sheet->totals[c]);
		first = false;
	}
	out_char(out, '}');
}

static void write_notes(struct out *out, const struct json_document *document)
{
	out_char(out, '[');
	for (size_t i = 0; i < document->note_count; i++) {
		if (i)
			out_char(out, ',');
		(void)write_string(out, document->notes[i], strlen(document->notes[i]));
	}
	out_char(out, ']');
}

static void write_fields(struct out *out, const struct json_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i)
			out_char(out, ',');
		write_name(out, fields[i].name);
		write_value(out, fields[i].name, &fields[i].cell);
	}
}

void json_write_line(struct out *out, const struct json_field *fields, size_t count)
{
	out_char(out, '{');
	write_fields(out, fields, count);
	out_text(out, "}\n");
}

void json_write(struct out *out, const struct json_document *document)
{
	char taken[NUMBER_MAX];

	number_time(document->taken_ns, taken);
	out_char(out, '{');
	write_name(out, "schema");
	(void)write_string(out, document->schema, strlen(document->schema));
	out_text(out, ",\"taken\":\"");
	out_text(out, taken);
	out_text(out, document->partial ? "\",\"partial\":true" : "\",\"partial\":false");
	out_text(out, ",\"notes\":");
	write_notes(out, document);
	if (document->field_count)
		out_char(out, ',');
	write_fields(out, document->fields, document->field_count);
	for (size_t i = 0; i < document->section_count; i++) {
		out_char(out, ',');
		write_name(out, document->sections[i].name);
		write_rows(out, document->sections[i].sheet);
	}
	out_text(out, ",\n\"totals\":");
	write_totals(out, document->sheet);
	out_text(out, ",\n\"rows\":");
	write_rows(out, document->sheet);
	out_text(out, "}\n");
}
