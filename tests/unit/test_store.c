// SPDX-License-Identifier: MIT
/*
 * Saving snapshots: what is saved is loaded again, and what fails leaves nothing behind.
 */
#include "store_files.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/sqlite.h"

#define SAVERS 4

static void *save_as(void *path)
{
	return memoir_snapshot_save(sample, path, NULL) == 0 ? path : NULL;
}

/* The first test: the library is not open yet. */
static void the_first_to_save_may_be_several_threads(void **state)
{
	char paths[SAVERS][8];
	pthread_t threads[SAVERS];
	void *saved;

	(void)state;
	for (int i = 0; i < SAVERS; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%d", i);
		assert_int_equal(pthread_create(&threads[i], NULL, save_as, paths[i]), 0);
	}
	for (int i = 0; i < SAVERS; i++) {
		assert_int_equal(pthread_join(threads[i], &saved), 0);
		assert_non_null(saved);
		assert_loads_as_sample(paths[i]);
	}
}

static void a_library_that_cannot_be_loaded_is_named(void **state)
{
	static const struct {
		const char *name, *why;
	} cases[] = {
		{ "libsqlite3-of-nobody.so.0",
		  "can't be loaded (libsqlite3-of-nobody.so.0: cannot open shared object file: " },
		{ "libc.so.6",
		  "undefined symbol: sqlite3_bind_blob): it is the package libsqlite3-0" },
	};
	struct sqlite table = { 0 }, untouched = { 0 };
	struct memoir_error error = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sqlite_load_from(cases[i].name, &table, &error), -ELIBACC);
		assert_int_equal(error.code, -ELIBACC);
		if (!strstr(error.text, cases[i].why))
			fail_msg("%s", error.text);
		assert_memory_equal(&table, &untouched, sizeof(table));
	}
	assert_int_equal(sqlite_load_from("libsqlite3.so.0", &table, &error), 0);
	assert_non_null(table.vsnprintf);
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

/* Files of before scopes were kept tell only that somebody was left out. */
static void a_file_without_its_scope_tells_whether_it_is_all(void **state)
{
	struct memoir_snapshot *loaded = NULL;

	(void)state;
	save_sample(FILE_NAME);
	sql(FILE_NAME, "DELETE FROM meta WHERE key = 'scope'");
	assert_int_equal(memoir_snapshot_load(FILE_NAME, &loaded, NULL), 0);
	assert_string_equal(memoir_snapshot_scope(loaded), "");
	memoir_snapshot_free(loaded);
	sql(FILE_NAME, "UPDATE processes SET in_scope = 1");
	assert_int_equal(memoir_snapshot_load(FILE_NAME, &loaded, NULL), 0);
	assert_null(memoir_snapshot_scope(loaded));
	memoir_snapshot_free(loaded);
}

/* The sample's tables as they were before there were buffers, locked memory and scopes. */
static const char made_old[] =
	"DROP VIEW ps; DROP VIEW names; DROP VIEW map; DROP VIEW sharing_sets;"
	"DROP VIEW set_members; DROP VIEW held; DROP VIEW buffers; DROP TABLE in_flight;"
	"DELETE FROM meta WHERE key IN ('scope', 'buffers_known', 'in_flight');"
	"UPDATE meta SET value = 3 WHERE key = 'holders';"
	"CREATE TABLE was AS SELECT * FROM objects; DROP TABLE objects;"
	"CREATE TABLE objects(id INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
	"  is_family INTEGER NOT NULL, dev_major INTEGER NOT NULL, dev_minor INTEGER NOT NULL,"
	"  inode INTEGER NOT NULL, alias INTEGER NOT NULL, path, size_bytes INTEGER NOT NULL,"
	"  resident_bytes INTEGER, mapped_bytes INTEGER NOT NULL, swapped_bytes INTEGER,"
	"  links INTEGER, fate TEXT, object TEXT NOT NULL);"
	"INSERT INTO objects SELECT id, kind, is_family, dev_major, dev_minor, inode, alias, path,"
	"  size_bytes, resident_bytes, mapped_bytes, swapped_bytes, links, fate, object FROM was;"
	"DROP TABLE was; CREATE TABLE was AS SELECT * FROM holders; DROP TABLE holders;"
	"CREATE TABLE holders(id INTEGER PRIMARY KEY,"
	"  object INTEGER NOT NULL REFERENCES objects(id),"
	"  process INTEGER NOT NULL REFERENCES processes(id), fd INTEGER NOT NULL);"
	"INSERT INTO holders SELECT id, object, process, fd FROM was WHERE fd >= 0;"
	"DROP TABLE was; ALTER TABLE regions DROP COLUMN locked";

/* What such a file cannot tell is not there; all else is as it was. */
static void make_old(struct memoir_snapshot *s)
{
	for (size_t i = 0; i < s->object_count; i++) {
		struct memoir_object *o = &s->objects[i];

		o->tag = o->exporter = NULL;
		o->elsewhere_bytes = o->shared_bytes = 0;
		o->is_backed = false;
		o->backing = 0;
	}
	for (size_t i = 0; i < s->region_count; i++)
		s->regions[i].locked = false;
	s->holder_count--; /* of what is announced, which is the last one */
	s->in_flight_count = 0;
	s->buffers_known = false;
	s->scope = "";
}

static void a_file_of_before_there_were_buffers_is_read(void **state)
{
	struct memoir_snapshot *expected = sample_snapshot(), *loaded = NULL;
	struct memoir_error error = { 0 };

	(void)state;
	make_old(expected);
	save_sample(FILE_NAME);
	sql(FILE_NAME, made_old);
	if (memoir_snapshot_load(FILE_NAME, &loaded, &error) < 0)
		fail_msg("%s", error.text);
	assert_true(same_snapshot(expected, loaded));
	assert_false(memoir_snapshot_buffers_known(loaded));
	memoir_snapshot_free(loaded);
	memoir_snapshot_free(expected);
	/* What every file has had. */
	sql(FILE_NAME, "ALTER TABLE objects DROP COLUMN fate");
	assert_int_equal(memoir_snapshot_load(FILE_NAME, &loaded, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "truncated or damaged (objects: no such column: fate)"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(the_first_to_save_may_be_several_threads),
		IN_DIRECTORY(a_library_that_cannot_be_loaded_is_named),
		IN_DIRECTORY(what_is_saved_is_loaded_again),
		IN_DIRECTORY(an_empty_snapshot_is_a_file_too),
		IN_DIRECTORY(a_file_without_its_scope_tells_whether_it_is_all),
		IN_DIRECTORY(a_file_of_before_there_were_buffers_is_read),
		IN_DIRECTORY(any_path_is_only_a_path),
		IN_DIRECTORY(a_file_is_its_owners_alone_and_replaces_the_one_before),
		IN_DIRECTORY(a_link_is_replaced_and_what_it_points_to_is_left_alone),
		IN_DIRECTORY(nothing_but_a_file_is_written_to),
		IN_DIRECTORY(a_save_that_fails_at_any_write_leaves_the_file_before),
		IN_DIRECTORY(a_full_disk_is_told_and_leaves_the_file_before),
	};

	return cmocka_run_group_tests_name("store", tests, enter_directory, leave_directory);
}
