// SPDX-License-Identifier: MIT
/*
 * Makes a snapshot file from readable SQL, for test_golden.py; reads nothing of the machine.
 *
 *     make_snapshot SNAPSHOT.db ROWS.sql...
 */
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "store/schema.h"

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file || getdelim(&text, &size, '\0', file) < 0) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return text;
}

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return;
	fprintf(stderr, "make_snapshot: %s\n", sqlite3_errmsg(db));
	exit(1);
}

int main(int argc, char **argv)
{
	char header[128];
	sqlite3 *db;

	if (argc < 3)
		return 2;
	remove(argv[1]);
	if (sqlite3_open(argv[1], &db) != SQLITE_OK)
		return 1;
	snprintf(header, sizeof(header), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 STORE_APPLICATION_ID, STORE_FORMAT);
	run(db, header);
	for (size_t i = 0; store_schema[i]; i++)
		run(db, store_schema[i]);
	for (int i = 2; i < argc; i++) {
		char *rows = read_text(argv[i]);

		run(db, rows);
		free(rows);
	}
	return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
