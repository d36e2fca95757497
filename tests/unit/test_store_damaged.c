// SPDX-License-Identifier: MIT
/*
 * Files that were cut, damaged or made up are refused in a sentence.
 */
#include "store_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void assert_refused(const char *path, int code, const char *why)
{
	struct memoir_error error = { 0 };
	struct memoir_snapshot *untouched = sample;
	int err = memoir_snapshot_load(path, &untouched, &error);

	if (err != code || !strstr(error.text, why))
		fail_msg("\"%s\" (%d) instead of \"%s\" (%d)", error.text, err, why, code);
	assert_int_equal(error.code, code);
	assert_string_equal(error.path, path);
	assert_ptr_equal(untouched, sample);
}

static void what_is_no_snapshot_is_said_to_be_none(void **state)
{
	(void)state;
	put_file("empty", "", 0);
	put_file("text", "Rss: 4 kB\nand so on and on", 26);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(mkdir("dir", 0700), 0);
	sql("foreign", "CREATE TABLE processes(id INTEGER PRIMARY KEY)");
	assert_refused("empty", -EBADMSG, "empty is not a memoir snapshot");
	assert_refused("text", -EBADMSG, "text is not a memoir snapshot");
	assert_refused("pipe", -EBADMSG, "not a memoir snapshot: it is not a file");
	assert_refused("dir", -EBADMSG, "not a memoir snapshot: it is not a file");
	assert_refused("/dev/zero", -EBADMSG, "it is not a file");
	assert_refused("foreign", -EBADMSG, "an SQLite file, but not a memoir snapshot");
	assert_refused("none", -ENOENT, "cannot read none: No such file");
}

static void a_newer_format_is_named(void **state)
{
	(void)state;
	save_sample(FILE_NAME);
	sql(FILE_NAME, "PRAGMA user_version = 2");
	assert_refused(FILE_NAME, -EPROTONOSUPPORT,
		       "was written by a newer memoir (format 2, this one reads 1)");
	sql(FILE_NAME, "PRAGMA user_version = 0");
	assert_refused(FILE_NAME, -EBADMSG, "is truncated or damaged");
}

static void a_file_cut_anywhere_is_refused(void **state)
{
	static char bytes[256 * 1024];

	(void)state;
	save_sample(FILE_NAME);
	size_t size = get_file(FILE_NAME, bytes, sizeof(bytes));

	for (size_t len = 0; len < size; len += len < 128 ? 1 : 509) {
		put_file("cut", bytes, len);
		assert_refused("cut", -EBADMSG,
			       len < 16 ? "is not a memoir snapshot" : "is truncated or damaged");
	}
	put_file("whole", bytes, size);
	assert_loads_as_sample("whole");
}

/* Each change keeps the database sound, so that only memoir's own checks can find it. */
static const char *const wrong_changes[][2] = {
	{ "DROP TABLE notes", "notes is missing" },
	{ "DROP TABLE meta", "meta is missing" },
	{ "ALTER TABLE regions RENAME TO r2; CREATE VIEW regions AS SELECT * FROM r2",
	  "not a plain one" },
	{ "DROP VIEW map; ALTER TABLE regions DROP COLUMN inexact_why", "inexact_why" },
	{ "ALTER TABLE notes ADD COLUMN x AS (hex(note))", "computed" },
	{ "CREATE TABLE n2(id INTEGER PRIMARY KEY, note) WITHOUT ROWID; DROP TABLE notes;"
	  "ALTER TABLE n2 RENAME TO notes",
	  "rowid" },
	{ "DELETE FROM meta WHERE key = 'engine'", "does not tell engine" },
	{ "UPDATE meta SET value = 'perf' WHERE key = 'engine'", "\"perf\"" },
	{ "UPDATE meta SET value = 2 WHERE key = 'partial'", "meta" },
	{ "UPDATE meta SET value = 5 WHERE key = 'scope'", "meta" },
	{ "UPDATE meta SET value = 6 WHERE key = 'regions'", "5 of 6 rows of regions" },
	{ "DELETE FROM peers WHERE id = 0", "peers are not numbered" },
	{ "DELETE FROM regions WHERE id = 2", "regions are not numbered" },
	{ "UPDATE sets SET region = 0; DELETE FROM regions WHERE id = 4",
	  "4 of 5 rows of regions" },
	{ "UPDATE processes SET pid = 0 WHERE id = 1", "row 1 of processes: pid" },
	{ "UPDATE processes SET pid = 'x' WHERE id = 1", "row 1 of processes: pid" },
	{ "UPDATE processes SET uid = -1 WHERE id = 0", "uid" },
	{ "UPDATE processes SET uid = 1 << 32 WHERE id = 0", "uid" },
	{ "UPDATE processes SET uid = 4294967295 WHERE id = 0", "uid" },
	{ "UPDATE processes SET threads = 0 WHERE id = 0", "threads" },
	{ "UPDATE processes SET comm = 5 WHERE id = 0", "comm" },
	{ "UPDATE processes SET comm = x'610062' WHERE id = 0", "comm" },
	{ "UPDATE processes SET in_scope = 2 WHERE id = 0", "in_scope" },
	{ "UPDATE processes SET page_table_bytes = -1 WHERE id = 0", "page_table_bytes" },
	{ "UPDATE peers SET process = 3 WHERE id = 1", "row 1 of peers: process" },
	{ "UPDATE peers SET process = 2 WHERE id = 0", "row 1 of peers: process" },
	{ "UPDATE objects SET kind = 'heap:cobol' WHERE id = 0", "\"heap:cobol\"" },
	{ "UPDATE objects SET dev_major = 1 << 32 WHERE id = 0", "dev_major" },
	{ "UPDATE objects SET fate = 'lost' WHERE id = 0", "\"lost\"" },
	{ "UPDATE objects SET resident_bytes = -1 WHERE id = 0", "resident_bytes" },
	{ "UPDATE objects SET swapped_bytes = '' WHERE id = 0", "swapped_bytes" },
	{ "UPDATE objects SET mapped_bytes = -1 WHERE id = 0", "mapped_bytes" },
	{ "UPDATE objects SET links = 4294967295 WHERE id = 0", "links" },
	{ "UPDATE processes SET sole_anon_bytes = -1 WHERE id = 0", "sole_anon_bytes" },
	{ "UPDATE processes SET sole_swap_bytes = -1 WHERE id = 0", "sole_swap_bytes" },
	{ "UPDATE regions SET process = 3 WHERE id = 4", "row 4 of regions: process" },
	{ "UPDATE regions SET process = -1 WHERE id = 4", "row 4 of regions: process" },
	{ "UPDATE regions SET process = 2 WHERE id = 1", "do not stand together" },
	{ "UPDATE regions SET \"end\" = \"start\" WHERE id = 0", "not behind the start" },
	{ "UPDATE regions SET \"start\" = 8192 WHERE id = 1", "not above the one before" },
	{ "UPDATE regions SET perms = 'rwxq' WHERE id = 0", "perms" },
	{ "UPDATE regions SET perms = 'rw' WHERE id = 0", "perms" },
	{ "UPDATE regions SET perms = 'rw-pp' WHERE id = 0", "perms" },
	{ "UPDATE regions SET kind = '' WHERE id = 0", "no word" },
	{ "UPDATE regions SET name_source = 'none' WHERE id = 0", "\"none\"" },
	{ "UPDATE regions SET object = 1 WHERE id = 0", "object 1 is a family" },
	{ "UPDATE regions SET family = 0 WHERE id = 0", "object 0 is not a family" },
	{ "UPDATE regions SET object = 4 WHERE id = 0", "row 0 of regions: object" },
	{ "UPDATE regions SET rss_bytes = -4096 WHERE id = 0", "rss_bytes" },
	{ "UPDATE regions SET hugetlb_bytes = 1.5 WHERE id = 0", "hugetlb_bytes" },
	{ "UPDATE regions SET own_anon_bytes = -4096 WHERE id = 0", "own_anon_bytes" },
	{ "UPDATE regions SET own_swap_bytes = 1.5 WHERE id = 0", "own_swap_bytes" },
	{ "UPDATE sets SET parent = 0 WHERE id = 0", "row 0 of sets: parent" },
	{ "UPDATE sets SET parent = 3 WHERE id = 3", "row 3 of sets: parent" },
	{ "UPDATE sets SET parent = 4 WHERE id = 3", "row 3 of sets: parent" },
	{ "UPDATE sets SET parent = -1 WHERE id = 3", "row 3 of sets: parent" },
	{ "UPDATE sets SET region = 5 WHERE id = 5", "row 5 of sets: region" },
	{ "UPDATE sets SET members = 0 WHERE id = 0", "row 0 of sets: members" },
	{ "UPDATE sets SET members = 2 WHERE id = 0", "row 0 of sets: it cannot have 2 members" },
	{ "UPDATE sets SET members = 4 WHERE id = 4", "row 4 of sets: it cannot have 4 members" },
	{ "UPDATE sets SET of_object = 1, swap_bytes = 0 WHERE id = 3", "of another sort" },
	{ "UPDATE sets SET of_object = 2 WHERE id = 3", "of_object" },
	{ "UPDATE sets SET swap_bytes = 4096 WHERE id = 2", "have swap entries" },
	{ "UPDATE sets SET ram_bytes = -1 WHERE id = 0", "row 0 of sets: ram_bytes" },
	{ "UPDATE sets SET ram_bytes = 1 << 62", "row 1 of sets: ram_bytes" },
	{ "UPDATE sets SET freed_bytes = -1 WHERE id = 5", "freed_bytes" },
	{ "DELETE FROM sets WHERE id = 5", "5 of 6 rows of sets" },
	{ "DROP VIEW sharing_sets; DROP VIEW set_members; DROP TABLE sets", "sets is missing" },
	{ "UPDATE holders SET object = 4 WHERE id = 0", "row 0 of holders: object" },
	{ "UPDATE holders SET object = 1 WHERE id = 2", "object 1 is a family" },
	{ "UPDATE holders SET object = 0 WHERE id = 0", "object 0 do not stand together" },
	{ "UPDATE holders SET process = 3 WHERE id = 0", "row 0 of holders: process" },
	{ "UPDATE holders SET fd = -2 WHERE id = 0", "row 0 of holders: fd" },
	{ "UPDATE holders SET fd = -1 WHERE id = 0", "row 0 of holders: neither" },
	{ "UPDATE holders SET announced = 1 WHERE id = 0", "row 0 of holders: neither" },
	{ "UPDATE holders SET announced = -1 WHERE id = 3", "row 3 of holders: announced" },
	{ "UPDATE holders SET fd = 1 << 31 WHERE id = 0", "row 0 of holders: fd" },
	{ "DELETE FROM holders WHERE id = 3", "3 of 4 rows of holders" },
	{ "UPDATE meta SET value = 2 WHERE key = 'holders_known'", "meta" },
	{ "UPDATE notes SET note = 7 WHERE id = 0", "note" },
	{ "UPDATE meminfo SET bytes = 'many' WHERE id = 0", "bytes" },
};

static void a_made_up_file_is_refused_in_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong_changes) / sizeof(wrong_changes[0]); i++) {
		save_sample(FILE_NAME);
		sql(FILE_NAME, wrong_changes[i][0]);
		assert_refused(FILE_NAME, -EBADMSG, wrong_changes[i][1]);
	}
}

static void what_others_add_to_a_file_does_no_harm(void **state)
{
	(void)state;
	save_sample(FILE_NAME);
	sql(FILE_NAME, "CREATE TABLE mine(x); CREATE INDEX i ON regions(name);"
		       "CREATE VIEW v AS SELECT 1; ALTER TABLE processes ADD COLUMN tag");
	assert_loads_as_sample(FILE_NAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(what_is_no_snapshot_is_said_to_be_none),
		IN_DIRECTORY(a_newer_format_is_named),
		IN_DIRECTORY(a_file_cut_anywhere_is_refused),
		IN_DIRECTORY(a_made_up_file_is_refused_in_a_sentence),
		IN_DIRECTORY(what_others_add_to_a_file_does_no_harm),
	};

	return cmocka_run_group_tests_name("store of damaged files", tests, enter_directory,
					   leave_directory);
}
