// SPDX-License-Identifier: MIT
/*
 * A snapshot file as SQL sees it: views, what is not known, and the schema that is documented.
 */
#include "store_files.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/utf8.h"
#include "store/schema.h"

/* Rows and columns of a query, "|" between columns, a newline after each row. */
static void query(const char *path, const char *text, char *out, size_t room)
{
	FILE *stream = fmemopen(out, room, "w");
	sqlite3_stmt *rows;
	sqlite3 *db;
	int status;

	assert_non_null(stream);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, text, -1, &rows, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	while ((status = sqlite3_step(rows)) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(rows); i++) {
			const unsigned char *value = sqlite3_column_text(rows, i);

			fprintf(stream, "%s%s", value ? (const char *)value : "-",
				i + 1 < sqlite3_column_count(rows) ? "|" : "\n");
		}
	if (status != SQLITE_DONE)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	fclose(stream);
	sqlite3_finalize(rows);
	sqlite3_close(db);
}

static void the_views_answer_in_sql(void **state)
{
	char out[4096];

	(void)state;
	save_sample(FILE_NAME);
	query(FILE_NAME, "SELECT pid, peers, regions, pss_bytes, page_table_bytes FROM ps", out,
	      sizeof(out));
	assert_string_equal(out, "10|[11,12]|4|45056|8192\n20|[]|0|-|-\n");
	query(FILE_NAME,
	      "SELECT \"start\", \"end\", perms, kind, object, family, rss_bytes FROM map", out,
	      sizeof(out));
	assert_string_equal(out,
			    "1000|3000|r-xs|file|file:fe:01:18446744073709551615#2|family:7|8192\n"
			    "3000|4000|rw-p|anon|family:7|family:7|-\n"
			    "7000|7fffffffe000|rw-p|heap|-|-|8192\n"
			    "ffffffffff600000|ffffffffff601000|rw-p|special|-|-|4096\n");
	query(FILE_NAME,
	      "SELECT name, kind, processes, regions, pss_bytes FROM names ORDER BY kind DESC", out,
	      sizeof(out));
	assert_string_equal(out, "[special]|special|1|1|8192\n[heap]|heap|1|1|12288\n"
				 "/lib/\xc3\xa4 (deleted)|file|1|1|12288\n"
				 "pool " SAMPLE_BAD_UTF8 "|anon|1|1|12288\n");
	query(FILE_NAME, "SELECT value FROM meta WHERE key IN ('taken', 'engine') ORDER BY key",
	      out, sizeof(out));
	assert_string_equal(out, "scan\n2023-11-14T22:13:20.123Z\n");
	query(FILE_NAME, "SELECT typeof(comm) FROM processes", out, sizeof(out));
	assert_string_equal(out, "text\nblob\ntext\n");
	query(FILE_NAME, "PRAGMA integrity_check", out, sizeof(out));
	assert_string_equal(out, "ok\n");
}

static void the_views_of_sharing_answer_in_sql(void **state)
{
	char out[4096];

	(void)state;
	save_sample(FILE_NAME);
	query(FILE_NAME, "SELECT * FROM sharing_sets", out, sizeof(out));
	assert_string_equal(out, "0|1|1|family:7|-|4096|0|4096\n"
				 "2|1|1|file:fe:01:18446744073709551615#2|/lib/\xc3\xa4 (deleted)|"
				 "8192|0|0\n"
				 "3|3|2|-|-|8192|16384|2097152\n"
				 "4|3|1|family:7|-|4096|0|4096\n"
				 "5|2|2|-|-|4096|0|0\n");
	query(FILE_NAME,
	      "SELECT \"set\", pid, region FROM set_members WHERE \"set\" IN (3, 5) ORDER BY 1, 3",
	      out, sizeof(out));
	assert_string_equal(out, "3|10|0\n3|10|1\n3|30|4\n5|10|0\n5|30|4\n");
	query(FILE_NAME,
	      "SELECT object, fate, resident_bytes, swapped_bytes, pid, fd, announced FROM held "
	      "ORDER BY fd",
	      out, sizeof(out));
	assert_string_equal(out, "sysv:00:00:0|kept|-|8192|20|-1|7\n"
				 "file:fe:01:18446744073709551615#2|reclaimable|0|0|20|0|0\n"
				 "memfd:00:00:9|freed|12288|4096|10|3|0\n"
				 "memfd:00:00:9|freed|12288|4096|10|4|0\n");
}

static void what_is_not_known_is_null(void **state)
{
	char out[4096];

	(void)state;
	save_sample(FILE_NAME);
	query(FILE_NAME, "SELECT uid, threads FROM processes", out, sizeof(out));
	assert_string_equal(out, "4294967294|4000000000\n-|-\n0|-\n");
	query(FILE_NAME, "SELECT resident_bytes, swapped_bytes, links, fate FROM objects", out,
	      sizeof(out));
	assert_string_equal(out, "0|0|1|reclaimable\n-|-|0|-\n12288|4096|0|freed\n-|8192|-|kept\n");
}

static void figure_columns_are_those_of_the_public_header(void **state)
{
	char out[4096], *at = out;

	(void)state;
	save_sample(FILE_NAME);
	query(FILE_NAME,
	      "SELECT name FROM pragma_table_info('regions') WHERE cid >= 16 AND name != 'locked'",
	      out, sizeof(out));
	for (int i = 0; i < MEMOIR_FIGURES; i++) {
		size_t len = strlen(memoir_figure_name(i));

		assert_memory_equal(at, memoir_figure_name(i), len);
		at += len;
		assert_int_equal(*at++, '\n');
	}
	assert_int_equal(*at, '\0');
}

static void the_documentation_has_the_same_schema(void **state)
{
	static char text[64 * 1024];
	size_t len = get_file(TEST_DATA "/../../docs/SNAPSHOT-FORMAT.md", text, sizeof(text) - 1);

	(void)state;
	text[len] = '\0';
	for (size_t i = 0; store_schema[i]; i++)
		if (!strstr(text, store_schema[i]))
			fail_msg("docs/SNAPSHOT-FORMAT.md lacks: %s", store_schema[i]);
}

static void only_well_formed_utf8_is_text(void **state)
{
	static const char *const good[] = { "",
					    "a",
					    "\xc2\x80",
					    "\xe0\xa0\x80",
					    "\xed\x9f\xbf",
					    "\xf4\x8f\xbf\xbf",
					    "12345678\xf0\x90\x80\x80" };
	static const char *const bad[] = { "\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
					   "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
					   "\xf5",         "abcdefgh\xe2\x82", "\xc3(" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(bad[i], strlen(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(the_views_answer_in_sql),
		IN_DIRECTORY(the_views_of_sharing_answer_in_sql),
		IN_DIRECTORY(what_is_not_known_is_null),
		IN_DIRECTORY(figure_columns_are_those_of_the_public_header),
		cmocka_unit_test(the_documentation_has_the_same_schema),
		cmocka_unit_test(only_well_formed_utf8_is_text),
	};

	return cmocka_run_group_tests_name("store as SQL", tests, enter_directory, leave_directory);
}
