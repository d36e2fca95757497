// SPDX-License-Identifier: MIT
/*
 * Reading the tables of a file nobody vouches for: typed columns, bounded in number, size and
 * time. Knows SQLite, not snapshots.
 */
#include "store/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/schema.h"

#define ROW_REST_BYTES (64 * 1024) /* the limit is one on rows, too */
#define STEPS_A_CHECK 10000
#define STEPS_MIN (1000 * 1000) /* the schema and the sanity checks of an empty snapshot */

int reader_damaged(struct reader *r, const char *format, ...)
{
	va_list args;

	if (r->err)
		return r->err;
	va_start(args, format);
	vsnprintf(r->wrong, sizeof(r->wrong), format, args);
	va_end(args);
	return r->err = -EBADMSG;
}

static int failed(struct reader *r)
{
	int status = sqlite.errcode(r->db) & 0xff;
	int system_errno = sqlite.system_errno(r->db);

	if (r->err)
		return r->err;
	if (status == SQLITE_NOMEM)
		return r->err = -ENOMEM;
	/* A read past the end is a short file, not an I/O error. */
	if (status == SQLITE_IOERR && system_errno > 0)
		return r->err = -system_errno;
	return reader_damaged(r, "%s: %.100s", r->table, sqlite.errmsg(r->db));
}

static int spend_steps(void *arg)
{
	struct reader *r = arg;

	r->steps_left -= STEPS_A_CHECK;
	return r->steps_left < 0;
}

static int plain_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '/' || c == '.' || c == '-' || c == '_';
}

/* "file:PATH?immutable=1", all else than plain letters as %XX. */
static char *immutable_uri(const char *path)
{
	static const char hex[] = "0123456789abcdef", tail[] = "?immutable=1";
	const char *head = path[0] == '/' ? "file://" : "file:./";
	char *uri = malloc(strlen(head) + 3 * strlen(path) + sizeof(tail)), *to;

	if (!uri)
		return NULL;
	to = stpcpy(uri, head);
	for (const char *from = path; *from; from++) {
		if (plain_letter(*from)) {
			*to++ = *from;
			continue;
		}
		*to++ = '%';
		*to++ = hex[(uint8_t)*from >> 4];
		*to++ = hex[(uint8_t)*from & 15];
	}
	memcpy(to, tail, sizeof(tail));
	return uri;
}

static int harden(struct reader *r)
{
	sqlite.db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite.db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite.db_config(r->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite.limit(r->db, SQLITE_LIMIT_LENGTH, STORE_STRING_BYTES_MAX + ROW_REST_BYTES);
	sqlite.limit(r->db, SQLITE_LIMIT_EXPR_DEPTH, 100);
	sqlite.limit(r->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite.progress_handler(r->db, STEPS_A_CHECK, spend_steps, r);
	if (sqlite.exec(r->db,
			"PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
			"PRAGMA mmap_size = 0; PRAGMA query_only = ON",
			NULL, NULL, NULL) != SQLITE_OK)
		return failed(r);
	return 0;
}

int reader_open(struct reader *r, const char *path, int64_t size_bytes, struct strpool *strings)
{
	*r = (struct reader){
		.strings = strings,
		.table = "schema",
		.row = -1,
		.string_bytes_left = size_bytes,
		.amount_left = INT64_MAX,
		.steps_left = STEPS_MIN + 4 * size_bytes,
	};
	char *uri = immutable_uri(path);

	if (!uri)
		return r->err = -ENOMEM;
	int status = sqlite.open_v2(uri, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);

	free(uri);
	if (!r->db)
		return r->err = -ENOMEM;
	return status == SQLITE_OK ? harden(r) : failed(r);
}

void reader_close(struct reader *r)
{
	sqlite.finalize(r->rows);
	sqlite.close(r->db);
	r->rows = NULL;
	r->db = NULL;
}

static int prepare(struct reader *r, const char *format, ...)
{
	char sql[640];
	va_list args;

	va_start(args, format);
	/* In brackets: where libc is checked (_FORTIFY_SOURCE), this can be the name of a macro. */
	(sqlite.vsnprintf)(sizeof(sql), sql, format, args);
	va_end(args);
	if (!r->err && sqlite.prepare_v2(r->db, sql, -1, &r->rows, NULL) != SQLITE_OK)
		failed(r);
	return r->err;
}

/* A view or a virtual or generated column under a table's name would run the file's own SQL. */
static int check_plain_table(struct reader *r, const char *table)
{
	if (prepare(r,
		    "SELECT count(*), sum(type = 'table' AND rootpage > 0 AND name = %Q) "
		    "FROM sqlite_master WHERE lower(name) = %Q",
		    table, table))
		return r->err;
	if (sqlite.step(r->rows) != SQLITE_ROW)
		failed(r);
	else if (sqlite.column_int64(r->rows, 0) != 1 || sqlite.column_int64(r->rows, 1) != 1)
		reader_damaged(r, "the table %s is missing or not a plain one", table);
	reader_end(r);
	if (prepare(r, "PRAGMA table_xinfo(%Q)", table))
		return r->err;
	int status;

	while ((status = sqlite.step(r->rows)) == SQLITE_ROW)
		if (sqlite.column_int(r->rows, 6) != 0)
			reader_damaged(r, "%s has a column that is computed", table);
	if (status != SQLITE_DONE)
		failed(r);
	return reader_end(r);
}

bool reader_has_column(struct reader *r, const char *table, const char *column)
{
	bool has;

	if (prepare(r, "SELECT count(*) FROM pragma_table_info(%Q) WHERE name = %Q", table, column))
		return false;
	has = sqlite.step(r->rows) == SQLITE_ROW && sqlite.column_int(r->rows, 0) > 0;
	reader_end(r);
	return has;
}

int reader_begin(struct reader *r, const char *table, const char *columns)
{
	r->table = table;
	r->row = -1;
	if (check_plain_table(r, table))
		return r->err;
	/* rowid, not id: in the order of the b-tree, so that nothing has to be sorted. */
	return prepare(r, "SELECT rowid, %s FROM \"%w\" NOT INDEXED", columns, table);
}

bool reader_next(struct reader *r)
{
	if (r->err || !r->rows)
		return false;
	int status = sqlite.step(r->rows);

	r->row++;
	r->next = 2;
	if (status == SQLITE_DONE)
		return false;
	if (status != SQLITE_ROW) {
		failed(r);
		return false;
	}
	/* Also what ends the reading of a damaged b-tree that leads round in circles. */
	if (sqlite.column_int64(r->rows, 0) != r->row ||
	    sqlite.column_type(r->rows, 1) != SQLITE_INTEGER ||
	    sqlite.column_int64(r->rows, 1) != r->row)
		reader_damaged(r, "the rows of %s are not numbered from 0 at row %" PRId64,
			       r->table, r->row);
	return !r->err;
}

int reader_end(struct reader *r)
{
	sqlite.finalize(r->rows);
	r->rows = NULL;
	return r->err;
}

static void bad_column(struct reader *r, int column)
{
	const char *name = sqlite.column_name(r->rows, column);

	reader_damaged(r, "row %" PRId64 " of %s: %.40s is not what it can be", r->row, r->table,
		       name ? name : "a column");
}

static int64_t int_at(struct reader *r, int column, int64_t min, int64_t max)
{
	int64_t value = sqlite.column_int64(r->rows, column);

	if (sqlite.column_type(r->rows, column) == SQLITE_INTEGER && value >= min && value <= max)
		return value;
	bad_column(r, column);
	return 0;
}

/* The pool's copy of text or of bytes that are not UTF-8; NULL where it is neither. */
static const char *string_at(struct reader *r, int column)
{
	int type = sqlite.column_type(r->rows, column);
	const char *bytes = NULL;
	const char *kept;

	if (type == SQLITE_TEXT)
		bytes = (const char *)sqlite.column_text(r->rows, column);
	else if (type == SQLITE_BLOB)
		bytes = sqlite.column_blob(r->rows, column);
	int len = sqlite.column_bytes(r->rows, column);

	r->string_bytes_left -= len;
	if ((type != SQLITE_TEXT && type != SQLITE_BLOB) || r->string_bytes_left < 0 ||
	    (len > 0 && bytes && memchr(bytes, '\0', (size_t)len))) {
		bad_column(r, column);
		return NULL;
	}
	if (!bytes && len > 0) {
		r->err = r->err ? r->err : -ENOMEM;
		return NULL;
	}
	kept = strpool_add(r->strings, bytes ? bytes : "", (size_t)len);
	if (!kept && !r->err)
		r->err = -ENOMEM;
	return kept;
}

int64_t reader_int(struct reader *r, int64_t min, int64_t max)
{
	return int_at(r, r->next++, min, max);
}

uint64_t reader_bits(struct reader *r)
{
	return (uint64_t)reader_int(r, INT64_MIN, INT64_MAX);
}

bool reader_int_or_null(struct reader *r, int64_t min, int64_t max, int64_t *ret)
{
	if (sqlite.column_type(r->rows, r->next) == SQLITE_NULL) {
		r->next++;
		return false;
	}
	*ret = reader_int(r, min, max);
	return true;
}

uint64_t reader_amount(struct reader *r)
{
	int64_t value = reader_int(r, 0, r->amount_left);

	r->amount_left -= value;
	return (uint64_t)value;
}

bool reader_amount_or_null(struct reader *r, uint64_t *ret)
{
	if (sqlite.column_type(r->rows, r->next) == SQLITE_NULL) {
		r->next++;
		return false;
	}
	*ret = reader_amount(r);
	return true;
}

const char *reader_string(struct reader *r)
{
	return string_at(r, r->next++);
}

const char *reader_string_or_null(struct reader *r)
{
	if (sqlite.column_type(r->rows, r->next) != SQLITE_NULL)
		return reader_string(r);
	r->next++;
	return NULL;
}

/* Leaves the statement on the one row with this key. False: there is none, or it failed. */
static bool find_meta(struct reader *r, const char *key)
{
	r->table = "meta";
	r->row = 0;
	if (check_plain_table(r, "meta") ||
	    prepare(r, "SELECT value FROM meta WHERE key = %Q", key))
		return false;
	int status = sqlite.step(r->rows);

	if (status != SQLITE_ROW && status != SQLITE_DONE)
		failed(r);
	return status == SQLITE_ROW;
}

static bool need_meta(struct reader *r, const char *key)
{
	bool found = find_meta(r, key);

	if (!found)
		reader_damaged(r, "meta does not tell %s", key);
	return found;
}

int64_t reader_meta_int(struct reader *r, const char *key, int64_t min, int64_t max)
{
	int64_t value = need_meta(r, key) ? int_at(r, 0, min, max) : 0;

	reader_end(r);
	return value;
}

const char *reader_meta_string(struct reader *r, const char *key)
{
	const char *value = need_meta(r, key) ? string_at(r, 0) : NULL;

	reader_end(r);
	return value;
}

const char *reader_meta_string_if_any(struct reader *r, const char *key)
{
	const char *value = find_meta(r, key) ? string_at(r, 0) : NULL;

	reader_end(r);
	return value;
}
