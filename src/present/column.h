/* SPDX-License-Identifier: MIT */
/*
 * The row model: a column takes its cell out of a row only when it is printed, so that rows of any
 * struct stream out in every format without being copied.
 */
#ifndef MEMOIR_PRESENT_COLUMN_H
#define MEMOIR_PRESENT_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

enum cell_type {
	CELL_NULL,    /* not known */
	CELL_TEXT,    /* bytes from strangers */
	CELL_BYTES,   /* a size, for people KiB and MiB */
	CELL_DELTA,   /* a size with a sign: by how much something changed */
	CELL_COUNT,   /* how many */
	CELL_NUMBER,  /* a number that is no amount: a pid, a time */
	CELL_ADDRESS, /* hex as in /proc/PID/maps */
	CELL_ID,      /* 16 hex digits */
	CELL_BOOL,
	CELL_PIDS,
	CELL_ROWS, /* rows of their own: in JSON an array of objects, elsewhere how many there are */
};

struct column;

/* What the rows in a cell are. */
struct nested_rows {
	const struct column *columns;
	size_t column_count;
	size_t row_bytes; /* they lie one after the other */
};

struct cell {
	enum cell_type type;
	union {
		uint64_t number;
		int64_t delta;
		size_t len;   /* CELL_TEXT */
		size_t count; /* CELL_PIDS, CELL_ROWS */
	};
	union {
		const char *text;
		const pid_t *pids;
		const void *rows;
	};
	const struct nested_rows *nested; /* CELL_ROWS */
	bool apart;       /* not in the total: it may be part of what other rows have */
	char scratch[96]; /* for a getter whose text lies nowhere; good until the next get */
};

struct column {
	const char *name; /* in JSON, CSV and -o */
	const char *head; /* in tables */
	enum cell_type type;
	unsigned int flags;
	unsigned int which; /* for get: one getter may serve several columns */
	void (*get)(const void *row, const struct column *column, const void *ctx,
		    struct cell *ret_cell);
	const char *help;
};

#define COLUMN_SUMMED 0x1u   /* has a total */
#define COLUMN_RIGHT 0x4u    /* text that stands to the right */
#define COLUMN_FOR_EYES 0x2u /* not in JSON and CSV unless asked for: other columns have its data */

/* What a command can print. */
struct table_model {
	const struct column *columns;
	size_t column_count;
	const char *shown; /* the columns of a table without -o: "a,b" */
	const char *sort;  /* the column sorted by without -s; NULL: rows are in order already */
	/* Its getters keep nothing from call to call: several threads may call them at once. */
	bool pure;
	/* The row below which a row stands, NULL: none; which totals are of. NULL: there is no such. */
	const void *(*parent)(const void *row);
};

/* Setters for getters; NULL text is "not known". */
static inline void cell_null(struct cell *cell)
{
	cell->type = CELL_NULL;
}

static inline void cell_number(struct cell *cell, enum cell_type type, uint64_t number)
{
	cell->type = type;
	cell->number = number;
}

/* What does not fit is as large as there is. */
static inline void cell_delta(struct cell *cell, bool negative, uint64_t bytes)
{
	int64_t size = bytes < INT64_MAX ? (int64_t)bytes : INT64_MAX;

	cell->type = CELL_DELTA;
	cell->delta = negative ? -size : size;
}

static inline void cell_text(struct cell *cell, const char *text)
{
	cell->type = text ? CELL_TEXT : CELL_NULL;
	cell->text = text;
	cell->len = text ? strlen(text) : 0;
}

/* Text that the getter wrote into the cell's scratch. */
static inline void cell_scratch(struct cell *cell, size_t len)
{
	cell->type = CELL_TEXT;
	cell->text = cell->scratch;
	cell->len = len;
}

static inline void cell_rows(struct cell *cell, const struct nested_rows *nested, const void *rows,
			     size_t count)
{
	cell->type = CELL_ROWS;
	cell->nested = nested;
	cell->rows = rows;
	cell->count = count;
}

static inline void cell_pids(struct cell *cell, const pid_t *pids, size_t count)
{
	cell->type = CELL_PIDS;
	cell->pids = pids;
	cell->count = count;
}

#endif
