// SPDX-License-Identifier: MIT
/*
 * Pieces of lines: fields of JSON, and texts for people. Decides nothing.
 */
#include "cli/lines.h"

#include "cli/cli.h"
#include "present/escape.h"
#include "present/number.h"

void line_text(struct json_field *field, const char *name, const char *text)
{
	field->name = name;
	cell_text(&field->cell, text);
}

void line_number(struct json_field *field, const char *name, uint64_t number)
{
	field->name = name;
	cell_number(&field->cell, CELL_NUMBER, number);
}

void line_bool(struct json_field *field, const char *name, bool is)
{
	field->name = name;
	cell_number(&field->cell, CELL_BOOL, is);
}

void line_bytes(struct json_field *field, const char *name, bool is_known, uint64_t bytes)
{
	field->name = name;
	if (is_known)
		cell_number(&field->cell, CELL_BYTES, bytes);
	else
		cell_null(&field->cell);
}

void line_escaped(struct out *out, const char *text, size_t len, size_t columns)
{
	struct buffer buffer = { 0 };
	size_t width = 0;

	if (escape_terminal(&buffer, text, len, cli_terminal_is_utf8(), &width) == 0)
		out_bytes(out, buffer.data, buffer.len);
	buffer_free(&buffer);
	while (width++ < columns)
		out_char(out, ' ');
}

void line_time(struct out *out, uint64_t time_ns)
{
	char when[NUMBER_MAX];

	/* "2026-01-02T03:04:05.678Z" */
	number_time(time_ns, when);
	out_bytes(out, when + strlen("2026-01-02T"), strlen("03:04:05.678"));
}
