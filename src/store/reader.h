/* SPDX-License-Identifier: MIT */
/*
 * Reading the tables of a file nobody vouches for: typed columns, bounded in number, size and
 * time. Knows SQLite, not snapshots.
 */
#ifndef MEMOIR_STORE_READER_H
#define MEMOIR_STORE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strpool.h"
#include "store/sqlite.h"

struct reader {
	sqlite3 *db;
	sqlite3_stmt *rows;
	struct strpool *strings;
	const char *table; /* for the sentence about what is wrong */
	int64_t row;       /* the row being read; -1 before the first */
	int next;          /* the next column */
	int err;           /* the first failure: -EBADMSG, -ENOMEM … */
	char wrong[160];
	int64_t string_bytes_left; /* a whole file cannot hold more text than it has bytes */
	int64_t amount_left;       /* so that sums of amounts fit in 63 bits */
	int64_t steps_left;        /* nor should a query take more steps than it has bytes */
};

/* Say what is wrong (the first call counts) and return the error. */
int reader_damaged(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Open a regular file for reading, as it is: no locks, no journal, nothing written beside it. */
int reader_open(struct reader *r, const char *path, int64_t size_bytes, struct strpool *strings);
void reader_close(struct reader *r);

/* Start reading a table that must be a plain one; columns as in schema.h, led by the row's id. */
int reader_begin(struct reader *r, const char *table, const char *columns);
/* Whether a table has a column: some came later, and older files lack them. */
bool reader_has_column(struct reader *r, const char *table, const char *column);
/* Step to the next row: true while there is one. Ids must be 0, 1, 2 … */
bool reader_next(struct reader *r);
int reader_end(struct reader *r);

/* The next column. What is not as it must be makes the reader fail and reads as 0 or NULL. */
int64_t reader_int(struct reader *r, int64_t min, int64_t max);
uint64_t reader_bits(struct reader *r);                                            /* any 64 bits */
bool reader_int_or_null(struct reader *r, int64_t min, int64_t max, int64_t *ret); /* false: NULL */
/* A number of bytes that others are added to: all of a file's together fit in 63 bits. */
uint64_t reader_amount(struct reader *r);
bool reader_amount_or_null(struct reader *r, uint64_t *ret); /* false: NULL */
const char *reader_string_or_null(struct reader *r);
const char *reader_string(struct reader *r);

/* One value of the table meta. */
int64_t reader_meta_int(struct reader *r, const char *key, int64_t min, int64_t max);
const char *reader_meta_string(struct reader *r, const char *key);
/* The same of a key that older files lack; NULL: it is not there. */
const char *reader_meta_string_if_any(struct reader *r, const char *key);

#endif
