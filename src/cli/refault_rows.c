// SPDX-License-Identifier: MIT
/*
 * The columns of memoir refaults, and when it looks.
 */
#include "cli/refault_rows.h"

#include "cli/subject_columns.h"
#include "cli/wait.h"
#include "present/number.h"

#define NS_PER_SECOND UINT64_C(1000000000)

enum which {
	WHICH_SWAPPED,
	WHICH_BACK,
	WHICH_GONE,
	WHICH_OUT,
	WHICH_RATE,
	WHICH_WITHIN, /* and the next ones */
};

static uint64_t rate(const struct memoir_refaults *refaults, uint64_t bytes)
{
	double seconds = (double)memoir_refaults_watched_ns(refaults) / (double)NS_PER_SECOND;

	return seconds > 0 ? (uint64_t)((double)bytes / seconds) : 0;
}

static void get_bytes(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_refault_figures *f = &((const struct memoir_refault_row *)row)->figures;
	unsigned int span = column->which - WHICH_WITHIN;

	if (column->which >= WHICH_WITHIN && !memoir_refaults_span_known(ctx, span)) {
		cell_null(ret_cell);
		return;
	}
	cell_number(ret_cell, column->type,
		    column->which == WHICH_SWAPPED ? f->swapped_bytes
		    : column->which == WHICH_BACK  ? f->back_bytes
		    : column->which == WHICH_GONE  ? f->gone_bytes
		    : column->which == WHICH_OUT   ? f->out_bytes
		    : column->which == WHICH_RATE  ? rate(ctx, f->back_bytes)
						   : f->back_within_bytes[span]);
}

static void get_percent(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_refault_figures *f = &((const struct memoir_refault_row *)row)->figures;

	(void)ctx, (void)column;
	cell_scratch(ret_cell, number_percent(f->back_bytes, f->swapped_bytes, ret_cell->scratch));
}

static void get_faults(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_refault_row *r = row;

	(void)ctx;
	if (r->faults_known)
		cell_number(ret_cell, column->type, r->major_faults);
	else
		cell_null(ret_cell);
}

static const struct column columns[] = {
	SUBJECT_WHERE,
	{ "swapped_bytes", "SWAPPED", CELL_BYTES, COLUMN_SUMMED, WHICH_SWAPPED, get_bytes,
	  "swapped out at the beginning" },
	{ "back_1s_bytes", "BACK-1S", CELL_BYTES, COLUMN_SUMMED, WHICH_WITHIN, get_bytes,
	  "of that, back within a second" },
	{ "back_10s_bytes", "BACK-10S", CELL_BYTES, COLUMN_SUMMED, WHICH_WITHIN + 1, get_bytes,
	  "back within 10 seconds" },
	{ "back_60s_bytes", "BACK-60S", CELL_BYTES, COLUMN_SUMMED, WHICH_WITHIN + 2, get_bytes,
	  "back within a minute" },
	{ "back_600s_bytes", "BACK-600S", CELL_BYTES, COLUMN_SUMMED, WHICH_WITHIN + 3, get_bytes,
	  "back within ten minutes" },
	{ "back_bytes", "BACK", CELL_BYTES, COLUMN_SUMMED, WHICH_BACK, get_bytes,
	  "back by the end" },
	{ "back_percent", "BACK%", CELL_TEXT, COLUMN_FOR_EYES | COLUMN_RIGHT, 0, get_percent,
	  "back_bytes of swapped_bytes" },
	{ "back_per_second_bytes", "BACK/S", CELL_BYTES, 0, WHICH_RATE, get_bytes,
	  "back_bytes by the time it was watched" },
	{ "out_bytes", "OUT", CELL_BYTES, COLUMN_SUMMED, WHICH_OUT, get_bytes,
	  "still swapped out" },
	{ "gone_bytes", "GONE", CELL_BYTES, COLUMN_SUMMED, WHICH_GONE, get_bytes,
	  "freed, unmapped or moved, or its process has ended" },
	SUBJECT_WHAT,
	{ "major_faults", "FAULTS", CELL_COUNT, 0, 0, get_faults,
	  "major page faults of the process; only by process" },
};

const struct table_model refault_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "processes,regions," REFAULT_FIGURES ",kind,name",
};

/* ---- looking -------------------------------------------------------------------------------- */

/* How long after the last look the next one is, at a time after the beginning; spans' ends are met. */
static uint64_t step_ns(uint64_t after_ns)
{
	return after_ns < 2 * NS_PER_SECOND    ? NS_PER_SECOND / 4
	       : after_ns < 60 * NS_PER_SECOND ? NS_PER_SECOND
					       : 5 * NS_PER_SECOND;
}

int refault_watch(struct memoir_refaults *refaults, uint64_t watch_ns, const char *what,
		  struct memoir_error *error)
{
	uint64_t began = wait_now_ns(), after = 0;

	while (after < watch_ns && !wait_interrupted()) {
		after += step_ns(after);
		after = after < watch_ns ? after : watch_ns;
		wait_until(began, began + after, watch_ns, what);
		int err = memoir_refaults_look(refaults, error);

		if (err < 0)
			return err;
	}
	return 0;
}
