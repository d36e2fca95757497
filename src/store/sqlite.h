/* SPDX-License-Identifier: MIT */
/*
 * SQLite, opened when a snapshot file is written or read: most commands do neither, and mapping
 * it would be a fifth of the time that the program takes to start.
 */
#ifndef MEMOIR_STORE_SQLITE_H
#define MEMOIR_STORE_SQLITE_H

#include <sqlite3.h>

#include <memoir/memoir.h>

/* Every function of it that is called, without its sqlite3_. */
#define STORE_SQLITE_FUNCTIONS(X) \
	X(bind_blob)              \
	X(bind_int64)             \
	X(bind_null)              \
	X(bind_text)              \
	X(close)                  \
	X(column_blob)            \
	X(column_bytes)           \
	X(column_int)             \
	X(column_int64)           \
	X(column_name)            \
	X(column_text)            \
	X(column_type)            \
	X(db_config)              \
	X(errcode)                \
	X(errmsg)                 \
	X(exec)                   \
	X(finalize)               \
	X(limit)                  \
	X(open_v2)                \
	X(prepare_v2)             \
	X(progress_handler)       \
	X(reset)                  \
	X(step)                   \
	X(system_errno)           \
	X(vsnprintf)

/* Each as its header declares it: sqlite.step(rows) is sqlite3_step(rows). */
struct sqlite {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): name of a member */
#define STORE_SQLITE_POINTER(name) __typeof__(sqlite3_##name) *name;
	STORE_SQLITE_FUNCTIONS(STORE_SQLITE_POINTER)
#undef STORE_SQLITE_POINTER
};

/* Filled by sqlite_load(), once: before, no function of reader.h and writer.h may be called. */
extern struct sqlite sqlite;

/*
 * Open the system's libsqlite3.so.0, unless it is open; it stays so. By any number of threads at a
 * time. 0; -ELIBACC: it is not there or lacks a function, and may be asked for again.
 */
int sqlite_load(struct memoir_error *error);

/* The same of a library of any name, into a table that is untouched on failure. */
int sqlite_load_from(const char *name, struct sqlite *ret, struct memoir_error *error);

#endif
