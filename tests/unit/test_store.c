// SPDX-License-Identifier: MIT
/*
 * Snapshot files: what is saved is loaded again, what fails leaves nothing behind, and a file that
 * was damaged or made up is refused in a sentence. Works in a directory of its own below TMPDIR.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/utf8.h"
#include "snapshot_sample.h"
#include "store/schema.h"

#define FILE_NAME "a.memoir"

static char directory[256];
static struct memoir_snapshot *sample;

static int enter_directory(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/memoir-store-XXXXXX", base ? base : "/tmp");
	sample = sample_snapshot();
	return mkdtemp(directory) && chdir(directory) == 0 && sample ? 0 : -1;
}

/* How many entries the current directory has; all are removed if asked. */
static int entries(bool and_remove)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (and_remove)
			remove(entry->d_name);
	}
	closedir(dir);
	return count;
}

static int empty_directory(void **state)
{
	(void)state;
	entries(true);
	return 0;
}

static int leave_directory(void **state)
{
	(void)state;
	memoir_snapshot_free(sample);
	entries(true);
	return chdir("/") || rmdir(directory);
}

static void save_sample(const char *path)
{
	struct memoir_error error = { 0 };

	if (memoir_snapshot_save(sample, path, &error) < 0)
		fail_msg("%s", error.text);
}

static void assert_loads_as_sample(const char *path)
{
	struct memoir_error error = { 0 };
	struct memoir_snapshot *loaded = NULL;

	if (memoir_snapshot_load(path, &loaded, &error) < 0)
		fail_msg("%s", error.text);
	assert_true(same_snapshot(sample, loaded));
	memoir_snapshot_free(loaded);
}

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

static void put_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static size_t get_file(const char *path, char *bytes, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t len = fd < 0 ? -1 : read(fd, bytes, room);

	assert_true(len >= 0 && (size_t)len < room);
	close(fd);
	return (size_t)len;
}

static void sql(const char *path, const char *text)
{
	char *wrong = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &wrong) != SQLITE_OK)
		fail_msg("%s: %s", text, wrong);
	sqlite3_close(db);
}

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

static void what_is_saved_is_loaded_again(void **state)
{
	(void)state;
	save_sample(FILE_NAME);
	assert_loads_as_sample(FILE_NAME);
	assert_int_equal(entries(false), 1);
}

static void an_empty_snapshot_is_a_file_too(void **state)
{
	struct memoir_snapshot *empty = snapshot_new(), *loaded = NULL;

	(void)state;
	assert_int_equal(memoir_snapshot_save(empty, FILE_NAME, NULL), 0);
	assert_int_equal(memoir_snapshot_load(FILE_NAME, &loaded, NULL), 0);
	assert_true(same_snapshot(empty, loaded));
	memoir_snapshot_free(loaded);
	memoir_snapshot_free(empty);
}

static void any_path_is_only_a_path(void **state)
{
	static const char *const paths[] = { "a?mode=memory", "b#c%41",   ":memory:",
					     "file:x",        " y\n\xff", "./-z&w=1" };
	char absolute[512];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		save_sample(paths[i]);
		assert_int_equal(access(paths[i], R_OK), 0);
		assert_loads_as_sample(paths[i]);
		assert_int_equal(entries(false), (int)i + 1);
	}
	snprintf(absolute, sizeof(absolute), "%s/%s", directory, FILE_NAME);
	save_sample(absolute);
	assert_loads_as_sample(FILE_NAME);
}

static void a_file_is_its_owners_alone_and_replaces_the_one_before(void **state)
{
	struct stat st;

	(void)state;
	put_file(FILE_NAME, "old", 3);
	assert_int_equal(chmod(FILE_NAME, 0644), 0);
	save_sample(FILE_NAME);
	assert_int_equal(stat(FILE_NAME, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_loads_as_sample(FILE_NAME);
}

static void a_link_is_replaced_and_what_it_points_to_is_left_alone(void **state)
{
	struct stat st;
	char bytes[16];

	(void)state;
	put_file("victim", "mine", 4);
	assert_int_equal(symlink("victim", FILE_NAME), 0);
	save_sample(FILE_NAME);
	assert_int_equal(lstat(FILE_NAME, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(get_file("victim", bytes, sizeof(bytes)), 4);
}

static void assert_not_saved(const char *path, int code, const char *why)
{
	struct memoir_error error = { 0 };

	assert_int_equal(memoir_snapshot_save(sample, path, &error), code);
	assert_int_equal(error.code, code);
	assert_non_null(strstr(error.text, why));
}

static void nothing_but_a_file_is_written_to(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_not_saved("pipe", -EINVAL, "neither a file nor a link");
	assert_not_saved("dir", -EISDIR, "cannot save the snapshot as dir");
	assert_not_saved("/dev/null", -EINVAL, "/dev/null");
	assert_not_saved("none/a", -ENOENT, "none/a");
	assert_not_saved("", -ENOENT, "cannot save");
	assert_int_equal(stat("pipe", &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(entries(false), 2);
}

/* Fails the write behind `limit` bytes; true if there was one. */
static bool fails_behind(rlim_t limit)
{
	struct rlimit before, lower;
	struct memoir_error error = { 0 };

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	lower = before;
	lower.rlim_cur = limit;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lower), 0);
	int err = memoir_snapshot_save(sample, FILE_NAME, &error);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	if (err == 0)
		return false;
	assert_int_equal(err, -EFBIG);
	assert_non_null(strstr(error.text, "ulimit"));
	return true;
}

static void a_save_that_fails_at_any_write_leaves_the_file_before(void **state)
{
	char bytes[16];
	int failures = 0;

	(void)state;
	/* SIGXFSZ is at its default, which would end this process. */
	assert_ptr_equal(signal(SIGXFSZ, SIG_DFL), SIG_DFL);
	while (put_file(FILE_NAME, "old", 3), fails_behind((rlim_t)failures * 1024)) {
		assert_int_equal(get_file(FILE_NAME, bytes, sizeof(bytes)), 3);
		assert_int_equal(entries(false), 1);
		assert_true(++failures < 1000);
	}
	/* The 20 pages of an almost empty database: else nothing was tried. */
	assert_true(failures > 30);
	assert_loads_as_sample(FILE_NAME);
}

/* In a mount namespace of its own, on a tmpfs with room for a part of the file. */
static int save_on_full_tmpfs(void)
{
	struct memoir_error error = { 0 };

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", directory, "tmpfs", 0, "size=32k") < 0 || chdir(directory) < 0)
		return 77;
	put_file(FILE_NAME, "old", 3);
	int err = memoir_snapshot_save(sample, FILE_NAME, &error);
	char bytes[16];

	if (err != -ENOSPC || !strstr(error.text, "free some space"))
		return 1;
	return get_file(FILE_NAME, bytes, sizeof(bytes)) == 3 && entries(false) == 1 ? 0 : 2;
}

static void a_full_disk_is_told_and_leaves_the_file_before(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(save_on_full_tmpfs());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: mounting a small tmpfs needs CAP_SYS_ADMIN\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
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
	{ "UPDATE holders SET fd = -1 WHERE id = 0", "row 0 of holders: fd" },
	{ "UPDATE holders SET fd = 1 << 31 WHERE id = 0", "row 0 of holders: fd" },
	{ "DELETE FROM holders WHERE id = 2", "2 of 3 rows of holders" },
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
	      "SELECT object, fate, resident_bytes, swapped_bytes, pid, fd FROM held ORDER BY fd",
	      out, sizeof(out));
	assert_string_equal(out, "file:fe:01:18446744073709551615#2|reclaimable|0|0|20|0\n"
				 "memfd:00:00:9|freed|12288|4096|10|3\n"
				 "memfd:00:00:9|freed|12288|4096|10|4\n");
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

#define IN_DIRECTORY(test) cmocka_unit_test_teardown(test, empty_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(what_is_saved_is_loaded_again),
		IN_DIRECTORY(an_empty_snapshot_is_a_file_too),
		IN_DIRECTORY(any_path_is_only_a_path),
		IN_DIRECTORY(a_file_is_its_owners_alone_and_replaces_the_one_before),
		IN_DIRECTORY(a_link_is_replaced_and_what_it_points_to_is_left_alone),
		IN_DIRECTORY(nothing_but_a_file_is_written_to),
		IN_DIRECTORY(a_save_that_fails_at_any_write_leaves_the_file_before),
		IN_DIRECTORY(a_full_disk_is_told_and_leaves_the_file_before),
		IN_DIRECTORY(what_is_no_snapshot_is_said_to_be_none),
		IN_DIRECTORY(a_newer_format_is_named),
		IN_DIRECTORY(a_file_cut_anywhere_is_refused),
		IN_DIRECTORY(a_made_up_file_is_refused_in_a_sentence),
		IN_DIRECTORY(what_others_add_to_a_file_does_no_harm),
		IN_DIRECTORY(the_views_answer_in_sql),
		IN_DIRECTORY(the_views_of_sharing_answer_in_sql),
		IN_DIRECTORY(what_is_not_known_is_null),
		IN_DIRECTORY(figure_columns_are_those_of_the_public_header),
		cmocka_unit_test(the_documentation_has_the_same_schema),
		cmocka_unit_test(only_well_formed_utf8_is_text),
	};

	return cmocka_run_group_tests_name("store", tests, enter_directory, leave_directory);
}
