// SPDX-License-Identifier: MIT
/*
 * Very many rows: what several threads print of them is what one prints, in the order of the rows, whatever
 * is in them; and output that fails ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "present/csv.h"
#include "present/json.h"
#include "present/rows.h"
#include "present/table.h"

#define ROWS 20001u

struct grain {
	uint64_t number;
	uint64_t bytes;
	const char *text;
	bool known;
};

enum which { WHICH_NUMBER, WHICH_ADDRESS, WHICH_BYTES, WHICH_DELTA, WHICH_TEXT, WHICH_COPY };

static void get(const void *row, const struct column *column, const void *ctx,
		struct cell *ret_cell)
{
	const struct grain *grain = row;

	(void)ctx;
	switch (column->which) {
	case WHICH_BYTES:
		cell_number(ret_cell, grain->known ? CELL_BYTES : CELL_NULL, grain->bytes);
		break;
	case WHICH_DELTA:
		cell_delta(ret_cell, grain->number % 3 == 0, grain->bytes >> 16);
		break;
	case WHICH_TEXT:
		cell_text(ret_cell, grain->text);
		break;
	case WHICH_COPY: /* text that lies in the cell */
		ret_cell->scratch[0] = (char)('a' + grain->number % 26);
		cell_scratch(ret_cell, grain->number % 2);
		break;
	default:
		cell_number(ret_cell, column->type, grain->number);
	}
}

static const struct column columns[] = {
	{ "number", "NUMBER", CELL_NUMBER, 0, WHICH_NUMBER, get, "" },
	{ "text", "TEXT", CELL_TEXT, 0, WHICH_TEXT, get, "" },
	{ "address", "ADDRESS", CELL_ADDRESS, 0, WHICH_ADDRESS, get, "" },
	{ "size_bytes", "SIZE", CELL_BYTES, COLUMN_SUMMED, WHICH_BYTES, get, "" },
	{ "copy", "COPY", CELL_TEXT, 0, WHICH_COPY, get, "" },
	{ "right", "RIGHT", CELL_TEXT, COLUMN_RIGHT, WHICH_COPY, get, "" },
	{ "change", "CHANGE", CELL_DELTA, COLUMN_SUMMED, WHICH_DELTA, get, "" },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const struct table_model models[] = {
	{ .columns = columns, .column_count = COLUMNS },
	{ .columns = columns, .column_count = COLUMNS, .pure = true },
};

static struct grain grains[ROWS];
static const void *rows[ROWS];

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static int make_grains(void **state)
{
	static const char *const texts[] = {
		"",      "short",   "two\nlines", "caf\xc3\xa9",
		"\xff!", "a,\"b\"", NULL,         "blank at the end "
	};
	static char longest[3000];
	uint64_t random = 1;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	for (size_t i = 0; i < ROWS; i++) {
		uint64_t r = next_random(&random);

		grains[i] = (struct grain){
			.number = next_random(&random) >> r % 30,
			.bytes = r % 4 ? 4096 : next_random(&random) << r % 31,
			.text = texts[r / 7 % 8],
			.known = r % 5,
		};
		rows[i] = &grains[i];
	}
	/* So many in one part that it does not fit into what a part has at first. */
	for (size_t i = 10000; i < 10200; i++)
		grains[i].text = longest;
	/* What is widest comes last. */
	grains[ROWS - 1].number = UINT64_MAX;
	return 0;
}

/* ---- printing ------------------------------------------------------------------------------- */

static struct out out;

enum form { TABLE, JSON, CSV, FORMS };

static void print(enum form form, const struct table_model *model, size_t count)
{
	struct shape shape = { .head = SHEET_ALL };
	struct table_options table = { .totals = true, .utf8 = true };
	struct csv_options csv = { 0 };
	struct json_document document = { .schema = "s" };
	struct sheet sheet;

	assert_int_equal(sheet_make(model, &shape, rows, count, NULL, &sheet, NULL), 0);
	document.sheet = &sheet;
	if (form == TABLE)
		assert_int_equal(table_write(&out, &sheet, &table), 0);
	else if (form == JSON)
		json_write(&out, &document);
	else
		csv_write(&out, &sheet, &csv);
	sheet_free(&sheet);
}

static char *printed(enum form form, const struct table_model *model, size_t count, size_t *ret_len)
{
	out_init(&out, memfd_create("output", MFD_CLOEXEC));
	assert_true(out.fd >= 0);
	print(form, model, count);
	assert_int_equal(out_flush(&out), 0);
	*ret_len = (size_t)lseek(out.fd, 0, SEEK_END);
	char *text = malloc(*ret_len + 1);

	assert_non_null(text);
	assert_int_equal(pread(out.fd, text, *ret_len, 0), *ret_len);
	text[*ret_len] = '\0';
	close(out.fd);
	return text;
}

/*
 * Behind the next line end, or NULL. By length: ASan has each function for strings read all of the text, which
 * takes minutes here.
 */
static const char *next_line(const char *at, const char *end)
{
	const char *found = memchr(at, '\n', (size_t)(end - at));

	return found ? found + 1 : NULL;
}

static size_t count_lines(const char *text, size_t len)
{
	size_t lines = 0;

	for (const char *at = text; (at = next_line(at, text + len));)
		lines++;
	return lines;
}

static void several_threads_print_what_one_does(void **state)
{
	static const size_t counts[] = { 0, 1, 4095, 4096, 4097, ROWS };
	size_t lens[2];

	(void)state;
	for (enum form form = 0; form < FORMS; form++)
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			char *one = printed(form, &models[0], counts[i], &lens[0]);
			char *several = printed(form, &models[1], counts[i], &lens[1]);

			assert_int_equal(lens[0], lens[1]);
			assert_memory_equal(one, several, lens[0]);
			free(one);
			free(several);
		}
}

/* By what stands at the beginning of each line, without help of what prints it. */
static void lines_are_in_the_order_of_rows(void **state)
{
	size_t len;
	char *text = printed(CSV, &models[1], ROWS, &len), *at = text;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		char number[24];

		/* The one text with a line end has no CR before it. */
		at = memmem(at, (size_t)(text + len - at), "\r\n", 2);
		assert_non_null(at);
		at += 2;
		snprintf(number, sizeof(number), "%" PRIu64 ",", grains[i].number);
		assert_memory_equal(at, number, strlen(number));
	}
	free(text);
}

static void columns_are_as_wide_as_the_widest_of_all_rows(void **state)
{
	size_t len;
	char *text = printed(TABLE, &models[1], ROWS, &len);
	const size_t width = strlen("18446744073709551615");
	size_t lines = 0;

	(void)state;
	assert_int_equal(count_lines(text, len), ROWS + 2);
	for (const char *at = text, *next; at < text + len; at = next, lines++) {
		next = next_line(at, text + len);
		assert_true(at[width] == ' ');
		assert_true(lines == ROWS + 1 || at[width - 1] != ' ');
		/* Nothing but text that ends so itself makes a line end in a blank. */
		assert_true(next[-2] != ' ');
	}
	assert_int_equal(lines, ROWS + 2);
	free(text);
}

/* ---- output that fails ---------------------------------------------------------------------- */

static void a_full_disk_ends_it(void **state)
{
	(void)state;
	for (enum form form = 0; form < FORMS; form++) {
		out_init(&out, open("/dev/full", O_WRONLY | O_CLOEXEC));
		assert_true(out.fd >= 0);
		print(form, &models[1], ROWS);
		assert_int_equal(out.error, -ENOSPC);
		assert_int_equal(out_flush(&out), -ENOSPC);
		close(out.fd);
	}
}

static void *read_some(void *arg)
{
	char text[1000];
	int fd = *(const int *)arg;

	for (int i = 0; i < 300; i++)
		if (read(fd, text, sizeof(text)) <= 0)
			break;
	close(fd);
	return NULL;
}

static void a_reader_that_leaves_ends_it(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (enum form form = 0; form < FORMS; form++) {
		pthread_t reader;
		int fds[2];

		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		assert_int_equal(pthread_create(&reader, NULL, read_some, &fds[0]), 0);
		out_init(&out, fds[1]);
		print(form, &models[1], ROWS);
		assert_int_equal(out_flush(&out), -EPIPE);
		pthread_join(reader, NULL);
		close(fds[1]);
	}
}

static void what_is_kept_is_whole_however_long(void **state)
{
	struct out *kept = malloc(sizeof(*kept));
	static char block[OUT_ROOM];

	(void)state;
	assert_non_null(kept);
	out_init(kept, OUT_KEEP);
	for (int c = 'a'; c <= 'z'; c++) {
		memset(block, c, sizeof(block));
		out_char(kept, (char)c);
		out_bytes(kept, block, sizeof(block));
	}
	assert_int_equal(kept->error, 0);
	assert_int_equal(kept->len, 26 * (OUT_ROOM + 1));
	for (size_t i = 0; i < kept->len; i++)
		assert_int_equal(kept->data[i], 'a' + i / (OUT_ROOM + 1));
	out_free(kept);
	free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_threads_print_what_one_does),
		cmocka_unit_test(lines_are_in_the_order_of_rows),
		cmocka_unit_test(columns_are_as_wide_as_the_widest_of_all_rows),
		cmocka_unit_test(a_full_disk_ends_it),
		cmocka_unit_test(a_reader_that_leaves_ends_it),
		cmocka_unit_test(what_is_kept_is_whole_however_long),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, make_grains, NULL);
}
