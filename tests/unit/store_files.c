// SPDX-License-Identifier: MIT
/*
 * What the tests of snapshot files have in common. Works in a directory of its own below TMPDIR.
 */
#include "store_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

char directory[256];
struct memoir_snapshot *sample;

int enter_directory(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/memoir-store-XXXXXX", base ? base : "/tmp");
	sample = sample_snapshot();
	return mkdtemp(directory) && chdir(directory) == 0 && sample ? 0 : -1;
}

/* How many entries the current directory has; all are removed if asked. */
int entries(bool and_remove)
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

int empty_directory(void **state)
{
	(void)state;
	entries(true);
	return 0;
}

int leave_directory(void **state)
{
	(void)state;
	memoir_snapshot_free(sample);
	entries(true);
	return chdir("/") || rmdir(directory);
}

void save_sample(const char *path)
{
	struct memoir_error error = { 0 };

	if (memoir_snapshot_save(sample, path, &error) < 0)
		fail_msg("%s", error.text);
}

void assert_loads_as_sample(const char *path)
{
	struct memoir_error error = { 0 };
	struct memoir_snapshot *loaded = NULL;

	if (memoir_snapshot_load(path, &loaded, &error) < 0)
		fail_msg("%s", error.text);
	assert_true(same_snapshot(sample, loaded));
	memoir_snapshot_free(loaded);
}

void put_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

size_t get_file(const char *path, char *bytes, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t len = fd < 0 ? -1 : read(fd, bytes, room);

	assert_true(len >= 0 && (size_t)len < room);
	close(fd);
	return (size_t)len;
}

void sql(const char *path, const char *text)
{
	char *wrong = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &wrong) != SQLITE_OK)
		fail_msg("%s: %s", text, wrong);
	sqlite3_close(db);
}
