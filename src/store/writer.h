/* SPDX-License-Identifier: MIT */
/*
 * Writing the tables of a new snapshot file: rows of typed columns by prepared statements. Knows
 * SQLite, not snapshots.
 */
#ifndef MEMOIR_STORE_WRITER_H
#define MEMOIR_STORE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/sqlite.h"

/* Every row goes through one of these: a statement and the next parameter to bind. */
struct writer {
	sqlite3 *db;
	sqlite3_stmt *insert;
	int next;
	int status; /* the first SQLite result that was not a success … */
	int err;    /* … and the errno it stands for */
};

/* Open a file that is there, and close it (also where opening failed). */
int writer_open(struct writer *w, const char *path);
void writer_close(struct writer *w);

/* Run SQL, unless something has failed already. */
int writer_run(struct writer *w, const char *sql);

/* Begin a table's rows; columns as in schema.h. Then the values of each row, in this order. */
int writer_begin(struct writer *w, const char *table, const char *columns);
int writer_end_row(struct writer *w);
int writer_end(struct writer *w);

void writer_int(struct writer *w, int64_t value);
/* SQLite's integers are signed: the bits are kept, and `%x` prints them as they were. */
void writer_bits(struct writer *w, uint64_t value);
/* A string that lives until the row is written; NULL stays NULL. */
void writer_string(struct writer *w, const char *string);
/* NULL if it is not known, or above what a signed integer holds: that is no real machine's figure. */
void writer_known(struct writer *w, bool known, uint64_t bytes);

#endif
