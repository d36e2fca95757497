// SPDX-License-Identifier: MIT
/*
 * Sizes with a sign: how they are printed in each format, sorted and added up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "present/csv.h"
#include "present/json.h"
#include "present/number.h"
#include "present/table.h"

static void changes_have_a_sign(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text, *plain, *number;
	} cases[] = {
		{ 0, "0", "0", "0" },
		{ 1, "+1B", "+1", "1" },
		{ -1, "-1B", "-1", "-1" },
		{ 1258291, "+1.20MiB", "+1258291", "1258291" },
		{ -65536, "-64.0KiB", "-65536", "-65536" },
		{ INT64_MAX, "+8.00EiB", "+9223372036854775807", "9223372036854775807" },
		{ INT64_MIN, "-8.00EiB", "-9223372036854775808", "-9223372036854775808" },
	};
	char buf[NUMBER_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(number_delta(cases[i].bytes, false, buf), strlen(cases[i].text));
		assert_string_equal(buf, cases[i].text);
		assert_int_equal(number_delta(cases[i].bytes, true, buf), strlen(cases[i].plain));
		assert_string_equal(buf, cases[i].plain);
		assert_int_equal(number_signed(cases[i].bytes, buf), strlen(cases[i].number));
		assert_string_equal(buf, cases[i].number);
	}
}

static void a_change_that_does_not_fit_is_the_largest_there_is(void **state)
{
	struct cell cell;

	(void)state;
	cell_delta(&cell, false, UINT64_MAX);
	assert_int_equal(cell.delta, INT64_MAX);
	cell_delta(&cell, true, UINT64_MAX);
	assert_int_equal(cell.delta, -INT64_MAX);
	cell_delta(&cell, true, 5);
	assert_int_equal(cell.delta, -5);
	assert_int_equal(cell.type, CELL_DELTA);
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct change {
	bool known;
	int64_t bytes;
};

static void get(const void *row, const struct column *column, const void *ctx,
		struct cell *ret_cell)
{
	const struct change *change = row;

	(void)column, (void)ctx;
	cell_null(ret_cell);
	if (change->known)
		cell_delta(ret_cell, change->bytes < 0,
			   change->bytes < 0 ? -(uint64_t)change->bytes : (uint64_t)change->bytes);
}

static const struct column column = { "x_bytes", "+-X", CELL_DELTA, COLUMN_SUMMED, 0, get, "" };
static const struct table_model model = { &column, 1, "x", "x" };

static const struct change changes[] = {
	{ true, -5 }, { true, 2048 }, { false, 9 }, { true, 5 }, { true, -4096 }
};

#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static struct out out;

/* All that `write` prints of the changes, and a NUL. */
static void print(void (*write)(const struct sheet *sheet), bool reverse, char *text, size_t room)
{
	struct shape shape = { .head = SHEET_ALL, .for_eyes = true, .reverse = reverse };
	const void *rows[CHANGES];
	struct sheet sheet;

	for (size_t i = 0; i < CHANGES; i++)
		rows[i] = &changes[i];
	assert_int_equal(sheet_make(&model, &shape, rows, CHANGES, NULL, &sheet, NULL), 0);
	out_init(&out, memfd_create("output", MFD_CLOEXEC));
	write(&sheet);
	assert_int_equal(out_flush(&out), 0);
	memset(text, 0, room);
	assert_true(pread(out.fd, text, room - 1, 0) > 0);
	close(out.fd);
	sheet_free(&sheet);
}

static void write_table(const struct sheet *sheet)
{
	struct table_options options = { .totals = true };

	assert_int_equal(table_write(&out, sheet, &options), 0);
}

static void write_csv(const struct sheet *sheet)
{
	csv_write(&out, sheet, &(struct csv_options){ 0 });
}

static void write_json(const struct sheet *sheet)
{
	json_write(&out, &(struct json_document){ .schema = "s", .sheet = sheet });
}

static void the_largest_change_comes_first_whichever_way(void **state)
{
	char text[1024];

	(void)state;
	print(write_table, false, text, sizeof(text));
	assert_string_equal(
		text, "     +-X\n-4.00KiB\n+2.00KiB\n     +5B\n     -5B\n       -\n-2.00KiB\n");
	print(write_table, true, text, sizeof(text));
	assert_non_null(strstr(text, "+-X\n     -5B\n     +5B\n+2.00KiB\n-4.00KiB\n       -\n"));
}

static void programs_read_plain_numbers(void **state)
{
	char text[1024];

	(void)state;
	print(write_csv, false, text, sizeof(text));
	assert_string_equal(text, "x_bytes\r\n-4096\r\n2048\r\n5\r\n-5\r\n\r\n");
	print(write_json, false, text, sizeof(text));
	assert_non_null(strstr(text, "\"totals\":{\"x_bytes\":-2048},\n"));
	assert_non_null(strstr(text, "\"rows\":[\n{\"x_bytes\":-4096},\n{\"x_bytes\":2048},\n"
				     "{\"x_bytes\":5},\n{\"x_bytes\":-5},\n{\"x_bytes\":null}]"));
}

static void totals_of_changes_do_not_wrap(void **state)
{
	static const struct change large[] = { { true, INT64_MAX }, { true, 7 } };
	static const struct change small[] = { { true, -INT64_MAX }, { true, -7 } };
	struct shape shape = { .sort = "x", .reverse = true, .head = SHEET_ALL };
	const void *rows[] = { &large[0], &large[1] };
	struct sheet sheet;

	(void)state;
	assert_int_equal(sheet_make(&model, &shape, rows, 2, NULL, &sheet, NULL), 0);
	assert_int_equal(sheet.totals[0].delta, INT64_MAX);
	sheet_free(&sheet);
	rows[0] = &small[0];
	rows[1] = &small[1];
	assert_int_equal(sheet_make(&model, &shape, rows, 2, NULL, &sheet, NULL), 0);
	assert_int_equal(sheet.totals[0].delta, INT64_MIN);
	sheet_free(&sheet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_have_a_sign),
		cmocka_unit_test(a_change_that_does_not_fit_is_the_largest_there_is),
		cmocka_unit_test(the_largest_change_comes_first_whichever_way),
		cmocka_unit_test(programs_read_plain_numbers),
		cmocka_unit_test(totals_of_changes_do_not_wrap),
	};

	return cmocka_run_group_tests_name("deltas", tests, NULL, NULL);
}
