// SPDX-License-Identifier: MIT
/*
 * What is printed: JSON, CSV, tables, order and totals, and output that fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "present/columns.h"
#include "present/csv.h"
#include "present/escape.h"
#include "present/json.h"
#include "present/number.h"
#include "present/table.h"

struct fruit {
	const char *name;
	uint64_t size_bytes;
	uint64_t address;
	const pid_t *pids;
	size_t pid_count;
	bool size_known;
	bool ripe;
};

enum which { WHICH_NAME, WHICH_SIZE, WHICH_ADDRESS, WHICH_ID, WHICH_PIDS, WHICH_RIPE, WHICH_COPY };

static void get(const void *row, const struct column *column, const void *ctx,
		struct cell *ret_cell)
{
	const struct fruit *fruit = row;

	(void)ctx;
	switch (column->which) {
	case WHICH_NAME:
		cell_text(ret_cell, fruit->name);
		break;
	case WHICH_SIZE:
		cell_number(ret_cell, fruit->size_known ? CELL_BYTES : CELL_NULL,
			    fruit->size_bytes);
		break;
	case WHICH_PIDS:
		cell_pids(ret_cell, fruit->pids, fruit->pid_count);
		break;
	case WHICH_COPY: /* text that lies in the cell */
		memcpy(ret_cell->scratch, fruit->name, strlen(fruit->name));
		cell_scratch(ret_cell, strlen(fruit->name));
		break;
	default:
		cell_number(ret_cell, column->type,
			    column->which == WHICH_RIPE ? fruit->ripe : fruit->address);
	}
}

static const struct column columns[] = {
	{ "name", "NAME", CELL_TEXT, 0, WHICH_NAME, get, "" },
	{ "size_bytes", "SIZE", CELL_BYTES, COLUMN_SUMMED, WHICH_SIZE, get, "" },
	{ "address", "ADDRESS", CELL_ADDRESS, 0, WHICH_ADDRESS, get, "" },
	{ "id", "ID", CELL_ID, 0, WHICH_ID, get, "" },
	{ "pids", "PIDS", CELL_PIDS, 0, WHICH_PIDS, get, "" },
	{ "ripe", "RIPE", CELL_BOOL, 0, WHICH_RIPE, get, "" },
	{ "copy", "COPY", CELL_TEXT, COLUMN_FOR_EYES, WHICH_COPY, get, "" },
};

static const struct table_model model = { columns, 7, "name,size", NULL };

static const pid_t two_pids[] = { 5, 12 };
static const struct fruit plum = { "plum", 1536, 0x1000, two_pids, 2, true, true };
static const struct fruit fig = { "fig", 0, 0x7f0000000000, NULL, 0, false, false };
static const struct fruit pear = { "pear", 3 << 20, 0xabc, two_pids, 1, true, false };

/* ---- running a writer into a file in memory ------------------------------------------------- */

static struct out out;

static void start_output(void)
{
	out_init(&out, memfd_create("output", MFD_CLOEXEC));
	assert_true(out.fd >= 0);
}

/* All that was printed, to be freed. */
static char *end_output(void)
{
	assert_int_equal(out_flush(&out), 0);
	off_t len = lseek(out.fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)len + 1);

	assert_int_equal(pread(out.fd, text, (size_t)len, 0), len);
	close(out.fd);
	return text;
}

static void expect_output(const char *expected)
{
	char *text = end_output();

	assert_string_equal(text, expected);
	free(text);
}

static const void *rows[3];

static struct sheet make_sheet(const struct shape *shape)
{
	struct memoir_error error = { 0 };
	struct sheet sheet;

	rows[0] = &plum;
	rows[1] = &fig;
	rows[2] = &pear;
	if (sheet_make(&model, shape, rows, 3, NULL, &sheet, &error) < 0)
		fail_msg("%s", error.text);
	return sheet;
}

/* One row with one text. */
static void write_json_text(const char *text)
{
	struct fruit fruit = { .name = text };
	const void *row = &fruit;
	struct shape shape = { .columns = "name", .head = SHEET_ALL };
	struct json_document document = { .schema = "s" };
	struct sheet sheet;

	assert_int_equal(sheet_make(&model, &shape, &row, 1, NULL, &sheet, NULL), 0);
	document.sheet = &sheet;
	start_output();
	json_write(&out, &document);
	sheet_free(&sheet);
}

static void expect_json_row(const char *text, const char *row)
{
	char expected[1024];

	snprintf(expected, sizeof(expected),
		 "{\"schema\":\"s\",\"taken\":\"1970-01-01T00:00:00.000Z\",\"partial\":false,"
		 "\"notes\":[],\n\"totals\":{},\n\"rows\":[\n%s]}\n",
		 row);
	write_json_text(text);
	expect_output(expected);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_strings_are_escaped(void **state)
{
	(void)state;
	expect_json_row("", "{\"name\":\"\"}");
	expect_json_row("a \"quoted\" back\\slash",
			"{\"name\":\"a \\\"quoted\\\" back\\\\slash\"}");
	expect_json_row("a\nb\tc\033", "{\"name\":\"a\\nb\\u0009c\\u001b\"}");
	expect_json_row("caf\xc3\xa9 \xf0\x9f\x8d\x8e",
			"{\"name\":\"caf\xc3\xa9 \xf0\x9f\x8d\x8e\"}");
	expect_json_row("\xe2\x80\xae", "{\"name\":\"\\u202e\"}");
	expect_json_row("\xf3\xa0\x80\x81", "{\"name\":\"\\udb40\\udc01\"}");
	expect_json_row("0123456789abcde\"", "{\"name\":\"0123456789abcde\\\"\"}");
}

static void bytes_that_are_not_utf8_are_kept_in_hex(void **state)
{
	(void)state;
	expect_json_row("a\xff/b", "{\"name\":\"a\xef\xbf\xbd/b\",\"name_hex\":\"61ff2f62\"}");
	expect_json_row("\xc3", "{\"name\":\"\xef\xbf\xbd\",\"name_hex\":\"c3\"}");
	expect_json_row("\xed\xa0\x80", "{\"name\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
					"\"name_hex\":\"eda080\"}");
}

static void text_longer_than_the_buffer_is_whole(void **state)
{
	size_t len = OUT_ROOM * 2 + 17;
	char *text = malloc(len + 1), *printed;

	(void)state;
	memset(text, 'x', len);
	text[len] = '\0';
	write_json_text(text);
	printed = end_output();
	assert_non_null(strstr(printed, text));
	assert_int_equal(strspn(strstr(printed, "xx"), "x"), len);
	free(printed);
	free(text);
}

static void a_json_document_has_the_envelope_and_every_type(void **state)
{
	struct shape shape = { .head = SHEET_ALL };
	struct sheet sheet = make_sheet(&shape);
	const char *notes[] = { "one \"note\"" };
	struct json_field field = { "total_bytes", { .type = CELL_BYTES, .number = 7 } };
	struct json_section section = { "more", &sheet };
	struct json_document document = {
		.schema = "memoir.fruit/1",
		.taken_ns = UINT64_C(1709210096789000000),
		.partial = true,
		.notes = notes,
		.note_count = 1,
		.fields = &field,
		.field_count = 1,
		.sections = &section,
		.section_count = 1,
		.sheet = &sheet,
	};
#define ROWS                                                                  \
	"[\n{\"name\":\"plum\",\"size_bytes\":1536,\"address\":\"00001000\"," \
	"\"id\":\"0000000000001000\",\"pids\":[5,12],\"ripe\":true},\n"       \
	"{\"name\":\"fig\",\"size_bytes\":null,\"address\":\"7f0000000000\"," \
	"\"id\":\"00007f0000000000\",\"pids\":[],\"ripe\":false},\n"          \
	"{\"name\":\"pear\",\"size_bytes\":3145728,\"address\":\"00000abc\"," \
	"\"id\":\"0000000000000abc\",\"pids\":[5],\"ripe\":false}]"

	(void)state;
	start_output();
	json_write(&out, &document);
	expect_output("{\"schema\":\"memoir.fruit/1\",\"taken\":\"2024-02-29T12:34:56.789Z\","
		      "\"partial\":true,\"notes\":[\"one \\\"note\\\"\"],\"total_bytes\":7,"
		      "\"more\":" ROWS ",\n\"totals\":{\"size_bytes\":3147264},\n\"rows\":" ROWS
		      "}\n");
	sheet_free(&sheet);
}

/* ---- CSV ------------------------------------------------------------------------------------ */

static void csv_is_rfc_4180(void **state)
{
	struct shape shape = { .head = SHEET_ALL };
	struct sheet sheet = make_sheet(&shape);
	struct csv_options options = { 0 };

	(void)state;
	start_output();
	csv_write(&out, &sheet, &options);
	options.no_heading = true;
	csv_write(&out, &sheet, &options);
#define CSV_ROWS                                            \
	"plum,1536,00001000,0000000000001000,5 12,true\r\n" \
	"fig,,7f0000000000,00007f0000000000,,false\r\n"     \
	"pear,3145728,00000abc,0000000000000abc,5,false\r\n"
	expect_output("name,size_bytes,address,id,pids,ripe\r\n" CSV_ROWS CSV_ROWS);
	sheet_free(&sheet);
}

static void csv_quotes_what_needs_it(void **state)
{
	static const char *const names[] = {
		"a,b", "a \"b\"", "a\nb", "", "a\xff", "a\033b", "a b"
	};
	struct fruit fruits[7] = { 0 };
	const void *fruit_rows[7];
	struct shape shape = { .columns = "name", .head = SHEET_ALL };
	struct csv_options options = { .no_heading = true };
	struct sheet sheet;

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		fruits[i].name = names[i];
		fruit_rows[i] = &fruits[i];
	}
	assert_int_equal(sheet_make(&model, &shape, fruit_rows, 7, NULL, &sheet, NULL), 0);
	start_output();
	csv_write(&out, &sheet, &options);
	expect_output("\"a,b\"\r\n\"a \"\"b\"\"\"\r\n\"a\nb\"\r\n\"\"\r\na\xef\xbf\xbd\r\n"
		      "a\033b\r\na b\r\n");
	options.to_terminal = true;
	start_output();
	csv_write(&out, &sheet, &options);
	expect_output(
		"\"a,b\"\r\n\"a \"\"b\"\"\"\r\na\\nb\r\n\"\"\r\na\\xff\r\na\\x1bb\r\na b\r\n");
	sheet_free(&sheet);
}

/* ---- tables --------------------------------------------------------------------------------- */

static void expect_table(const struct shape *shape, const struct table_options *options,
			 const char *expected)
{
	struct sheet sheet = make_sheet(shape);

	start_output();
	assert_int_equal(table_write(&out, &sheet, options), 0);
	expect_output(expected);
	sheet_free(&sheet);
}

static void tables_are_aligned_with_numbers_to_the_right(void **state)
{
	struct shape shape = { .columns = "name,size,address,pids,ripe",
			       .head = SHEET_ALL,
			       .for_eyes = true };
	struct table_options options = { 0 };

	(void)state;
	expect_table(&shape, &options,
		     "NAME    SIZE      ADDRESS PIDS RIPE\n"
		     "plum 1.50KiB     00001000 5,12 yes\n"
		     "fig        - 7f0000000000 -    no\n"
		     "pear 3.00MiB     00000abc 5    no\n");
}

static void a_table_has_totals_and_headings_as_asked_for(void **state)
{
	struct shape shape = { .head = 1, .for_eyes = true };
	struct table_options options = { .totals = true, .plain_bytes = true };

	(void)state;
	expect_table(&shape, &options, "NAME     SIZE\nplum     1536\ntotal 3147264\n");
	options.no_heading = true;
	options.totals = false;
	expect_table(&shape, &options, "plum 1536\n");
	options = (struct table_options){ .bold_heading = true };
	expect_table(&shape, &options, "\033[1mNAME    SIZE\033[0m\nplum 1.50KiB\n");
}

static void a_table_without_rows_has_its_heading(void **state)
{
	struct shape shape = { .head = 0, .for_eyes = true };
	struct table_options options = { 0 };

	(void)state;
	expect_table(&shape, &options, "NAME SIZE\n");
}

static void text_of_strangers_is_escaped_in_tables(void **state)
{
	struct fruit fruit = { .name = "\033]0;title\a\n", .size_bytes = 1, .size_known = true };
	const void *row = &fruit;
	struct shape shape = { .head = SHEET_ALL, .for_eyes = true };
	struct table_options options = { .no_heading = true };
	struct sheet sheet;

	(void)state;
	assert_int_equal(sheet_make(&model, &shape, &row, 1, NULL, &sheet, NULL), 0);
	start_output();
	assert_int_equal(table_write(&out, &sheet, &options), 0);
	expect_output("\\x1b]0;title\\x07\\n 1B\n");
	sheet_free(&sheet);
}

/* ---- columns, order, totals ----------------------------------------------------------------- */

static void expect_order(const char *sort, bool reverse, const struct fruit *first,
			 const struct fruit *second, const struct fruit *third)
{
	struct shape shape = { .sort = sort, .reverse = reverse, .head = SHEET_ALL };
	struct sheet sheet = make_sheet(&shape);

	assert_ptr_equal(sheet.rows[0], first);
	assert_ptr_equal(sheet.rows[1], second);
	assert_ptr_equal(sheet.rows[2], third);
	sheet_free(&sheet);
}

static void amounts_go_downwards_all_else_upwards_and_the_unknown_last(void **state)
{
	(void)state;
	expect_order(NULL, false, &plum, &fig, &pear);
	expect_order(NULL, true, &pear, &fig, &plum);
	expect_order("size_bytes", false, &pear, &plum, &fig);
	expect_order("size", true, &plum, &pear, &fig);
	expect_order("name", false, &fig, &pear, &plum);
	expect_order("name", true, &plum, &pear, &fig);
	expect_order("copy", false, &fig, &pear, &plum);
	expect_order("address", false, &pear, &plum, &fig);
	/* Equal rows stay as they were. */
	expect_order("ripe", false, &fig, &pear, &plum);
	expect_order("ripe", true, &plum, &fig, &pear);
	expect_order("pids", false, &plum, &pear, &fig);
}

static void totals_are_those_of_all_rows_that_are_known(void **state)
{
	struct shape shape = { .sort = "name", .head = 1 };
	struct sheet sheet = make_sheet(&shape);

	(void)state;
	assert_int_equal(sheet.row_count, 1);
	assert_ptr_equal(sheet.rows[0], &fig);
	assert_int_equal(sheet.totals[0].type, CELL_NULL);
	assert_int_equal(sheet.totals[1].type, CELL_BYTES);
	assert_int_equal(sheet.totals[1].number, 3147264);
	sheet_free(&sheet);
}

static void expect_columns(const char *list, bool for_eyes, const char *expected)
{
	struct shape shape = { .columns = list, .for_eyes = for_eyes, .head = SHEET_ALL };
	struct sheet sheet = make_sheet(&shape);
	char names[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < sheet.column_count; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s ",
					sheet.columns[i]->name);
	assert_string_equal(names, expected);
	sheet_free(&sheet);
}

static void columns_are_those_asked_for(void **state)
{
	(void)state;
	expect_columns(NULL, false, "name size_bytes address id pids ripe ");
	expect_columns(NULL, true, "name size_bytes ");
	expect_columns("+ripe,copy", true, "name size_bytes ripe copy ");
	expect_columns("+name", true, "name size_bytes ");
	expect_columns("ripe,size,ripe", true, "ripe size_bytes ");
	expect_columns("+copy", false, "name size_bytes address id pids ripe copy ");
}

/* What is above it in a table is good as well, but a name comes first. */
static void columns_are_known_by_their_heads(void **state)
{
	static const struct column crossed[] = {
		{ "kind", "NAME", CELL_TEXT, 0, WHICH_NAME, get, "" },
		{ "name", "SOLD AS", CELL_TEXT, 0, WHICH_NAME, get, "" },
		{ "mark", "", CELL_TEXT, 0, WHICH_NAME, get, "" },
	};
	static const struct table_model of_crossed = { crossed, 3, NULL, NULL };

	(void)state;
	expect_columns("Ripe,SIZE", true, "ripe size_bytes ");
	assert_ptr_equal(column_find(&of_crossed, "name", 4), &crossed[1]);
	assert_ptr_equal(column_find(&of_crossed, "NAME", 4), &crossed[0]);
	assert_ptr_equal(column_find(&of_crossed, "sold as,mark", 7), &crossed[1]);
	assert_null(column_find(&of_crossed, "sold", 4));
	assert_null(column_find(&of_crossed, "", 0));
}

static void an_unknown_column_is_told_with_those_there_are(void **state)
{
	static const struct shape shapes[] = {
		{ .columns = "name,weight" }, { .columns = "+weight" }, { .sort = "weight" },
		{ .columns = "name," },       { .columns = "" },        { .columns = "siz" },
		{ .columns = "size_" },       { .columns = "NAM" },     { .sort = "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct memoir_error error = { 0 };

		assert_int_equal(shape_check(&shapes[i], &model, &error), -EINVAL);
		assert_non_null(strstr(error.text, "there are name size_bytes address id pids"));
	}
}

/* ---- output that fails ---------------------------------------------------------------------- */

static void a_full_disk_is_noticed(void **state)
{
	(void)state;
	out_init(&out, open("/dev/full", O_WRONLY | O_CLOEXEC));
	assert_true(out.fd >= 0);
	out_text(&out, "lost");
	assert_int_equal(out.error, 0);
	assert_int_equal(out_flush(&out), -ENOSPC);
	assert_int_equal(out_flush(&out), -ENOSPC);
	close(out.fd);
}

static void a_closed_pipe_is_noticed_and_what_follows_is_dropped(void **state)
{
	static const char block[OUT_ROOM];
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	out_init(&out, fds[1]);
	for (int i = 0; i < 5; i++)
		out_bytes(&out, block, sizeof(block));
	assert_int_equal(out.error, -EPIPE);
	assert_int_equal(out_flush(&out), -EPIPE);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_strings_are_escaped),
		cmocka_unit_test(bytes_that_are_not_utf8_are_kept_in_hex),
		cmocka_unit_test(text_longer_than_the_buffer_is_whole),
		cmocka_unit_test(a_json_document_has_the_envelope_and_every_type),
		cmocka_unit_test(csv_is_rfc_4180),
		cmocka_unit_test(csv_quotes_what_needs_it),
		cmocka_unit_test(tables_are_aligned_with_numbers_to_the_right),
		cmocka_unit_test(a_table_has_totals_and_headings_as_asked_for),
		cmocka_unit_test(a_table_without_rows_has_its_heading),
		cmocka_unit_test(text_of_strangers_is_escaped_in_tables),
		cmocka_unit_test(amounts_go_downwards_all_else_upwards_and_the_unknown_last),
		cmocka_unit_test(totals_are_those_of_all_rows_that_are_known),
		cmocka_unit_test(columns_are_those_asked_for),
		cmocka_unit_test(columns_are_known_by_their_heads),
		cmocka_unit_test(an_unknown_column_is_told_with_those_there_are),
		cmocka_unit_test(a_full_disk_is_noticed),
		cmocka_unit_test(a_closed_pipe_is_noticed_and_what_follows_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
