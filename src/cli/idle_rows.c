// SPDX-License-Identifier: MIT
/*
 * The columns of memoir idle.
 */
#include "cli/idle_rows.h"

#include "cli/subject_columns.h"
#include "present/number.h"

enum which {
	WHICH_RSS,
	WHICH_IDLE,
	WHICH_TOUCHED,
	WHICH_UNKNOWN,
};

static void get_bytes(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_idle_row *r = row;

	(void)ctx;
	if (!r->known)
		cell_null(ret_cell);
	else
		cell_number(ret_cell, column->type,
			    column->which == WHICH_RSS       ? r->figures.rss_bytes
			    : column->which == WHICH_IDLE    ? r->figures.idle_bytes
			    : column->which == WHICH_TOUCHED ? r->figures.touched_bytes
							     : r->figures.unknown_bytes);
}

static void get_percent(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_idle_row *r = row;

	(void)ctx, (void)column;
	if (!r->known)
		cell_null(ret_cell);
	else
		cell_scratch(ret_cell, number_percent(r->figures.idle_bytes, r->figures.rss_bytes,
						      ret_cell->scratch));
}

static const struct column columns[] = {
	SUBJECT_WHERE,
	{ "rss_bytes", "RSS", CELL_BYTES, COLUMN_SUMMED, WHICH_RSS, get_bytes,
	  "resident when it was looked at" },
	{ "idle_bytes", "IDLE", CELL_BYTES, COLUMN_SUMMED, WHICH_IDLE, get_bytes,
	  "of that, not touched once" },
	{ "touched_bytes", "TOUCHED", CELL_BYTES, COLUMN_SUMMED, WHICH_TOUCHED, get_bytes,
	  "touched, or new" },
	{ "unknown_bytes", "UNKNOWN", CELL_BYTES, COLUMN_SUMMED, WHICH_UNKNOWN, get_bytes,
	  "touched once, but the means can't tell when" },
	{ "idle_percent", "IDLE%", CELL_TEXT, COLUMN_FOR_EYES | COLUMN_RIGHT, 0, get_percent,
	  "idle_bytes of rss_bytes" },
	SUBJECT_WHAT,
};

const struct table_model idle_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "pid,comm,start,end," IDLE_FIGURES ",kind,name,path",
	.sort = "idle_bytes",
};
