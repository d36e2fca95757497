// SPDX-License-Identifier: MIT
/*
 * Writing the tables of a new snapshot file: rows of typed columns by prepared statements. Knows
 * SQLite, not snapshots.
 */
#include "store/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "store/schema.h"

/*
 * SQLite does not always keep the errno of a write that failed (sqlite3_system_errno); but what it
 * calls afterwards to clean up succeeds and so leaves errno alone.
 */
static int errno_of(sqlite3 *db, int status)
{
	int system_errno = errno;

	if (db && sqlite.system_errno(db) > 0)
		system_errno = sqlite.system_errno(db);
	switch (status & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return system_errno > 0 ? -system_errno : -EIO;
	default:
		return -EIO;
	}
}

/* Keeps the first failure; returns it, or SQLITE_OK if there was none yet. */
static int noted(struct writer *w, int status)
{
	if (w->status == SQLITE_OK && status != SQLITE_OK) {
		w->err = errno_of(w->db, status);
		w->status = status;
	}
	return w->status;
}

int writer_open(struct writer *w, const char *path)
{
	*w = (struct writer){ 0 };
	return noted(w, sqlite.open_v2(path, &w->db, SQLITE_OPEN_READWRITE, NULL));
}

void writer_close(struct writer *w)
{
	sqlite.close(w->db);
	w->db = NULL;
}

int writer_run(struct writer *w, const char *sql)
{
	if (w->status == SQLITE_OK)
		noted(w, sqlite.exec(w->db, sql, NULL, NULL, NULL));
	return w->status;
}

#define COLUMNS_MAX 64

int writer_begin(struct writer *w, const char *table, const char *columns)
{
	char values[2 * COLUMNS_MAX + 1] = "?", sql[1024];
	size_t len = 1;

	for (const char *at = columns; *at && len + 2 < sizeof(values); at++)
		if (*at == ',') {
			memcpy(values + len, ",?", 3);
			len += 2;
		}
	snprintf(sql, sizeof(sql), "INSERT INTO %s(%s) VALUES(%s)", table, columns, values);
	if (w->status == SQLITE_OK)
		noted(w, sqlite.prepare_v2(w->db, sql, -1, &w->insert, NULL));
	w->next = 1;
	return w->status;
}

int writer_end_row(struct writer *w)
{
	if (w->status == SQLITE_OK && sqlite.step(w->insert) != SQLITE_DONE)
		noted(w, sqlite.errcode(w->db));
	sqlite.reset(w->insert);
	w->next = 1;
	return w->status;
}

int writer_end(struct writer *w)
{
	sqlite.finalize(w->insert);
	w->insert = NULL;
	return w->status;
}

void writer_int(struct writer *w, int64_t value)
{
	noted(w, sqlite.bind_int64(w->insert, w->next++, value));
}

void writer_bits(struct writer *w, uint64_t value)
{
	writer_int(w, (int64_t)value);
}

void writer_string(struct writer *w, const char *string)
{
	int status = SQLITE_OK;
	size_t len = string ? strlen(string) : 0;

	if (len > STORE_STRING_BYTES_MAX)
		status = SQLITE_TOOBIG;
	else if (string && utf8_valid(string, len))
		status = sqlite.bind_text(w->insert, w->next, string, (int)len, SQLITE_STATIC);
	else if (string)
		status = sqlite.bind_blob(w->insert, w->next, string, (int)len, SQLITE_STATIC);
	else
		status = sqlite.bind_null(w->insert, w->next);
	w->next++;
	noted(w, status);
}

void writer_known(struct writer *w, bool known, uint64_t bytes)
{
	if (known && bytes <= INT64_MAX)
		writer_int(w, (int64_t)bytes);
	else
		writer_string(w, NULL);
}
