// SPDX-License-Identifier: MIT
/*
 * The columns of memoir trim.
 */
#include "cli/trim_rows.h"

#include <stdio.h>

#include "present/number.h"

const char *trim_columns(enum memoir_hint hint, bool applied)
{
	bool seen = hint == MEMOIR_HINT_PAGEOUT || hint == MEMOIR_HINT_COLLAPSE;

	if (!applied)
		return hint == MEMOIR_HINT_PAGEOUT ? "pid,planned,swap_needed,why,comm"
						   : "pid,planned,why,comm";
	return seen ? "pid,planned,moved,raced_ranges,hold,why,comm"
		    : "pid,planned,hinted,raced_ranges,hold,why,comm";
}

void trim_row_skips(struct trim_row *row)
{
	row->skip_count = 0;
	for (int i = 0; i < MEMOIR_SKIPS; i++) {
		uint64_t bytes = row->planned->skipped_bytes[i];

		if (row->applied)
			bytes += row->applied->skipped_bytes[i];
		if (bytes || (row->planned->skipped[i] && i == MEMOIR_SKIP_UNKNOWN))
			row->skipped[row->skip_count++] =
				(struct trim_skip){ (enum memoir_skip)i, bytes, bytes != 0 };
	}
}

bool trim_row_skips_for(const struct trim_row *row, enum memoir_skip why)
{
	for (size_t i = 0; i < row->skip_count; i++)
		if (row->skipped[i].why == why)
			return true;
	return false;
}

void trim_row_note(struct trim_row *row)
{
	if (!row->applied || !row->applied->guard_ended)
		return;
	snprintf(row->note, sizeof(row->note),
		 "process %d: somebody ended the guard process, which lets it run on if memoir is "
		 "killed; "
		 "it runs on, and the rest was done holding it by %s",
		 (int)row->planned->pid, memoir_hold_name(row->applied->hold));
}

/* ---- reasons --------------------------------------------------------------------------------- */

static void get_why(const void *row, const struct column *column, const void *ctx,
		    struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell, memoir_skip_name(((const struct trim_skip *)row)->why));
}

static void get_skipped_bytes(const void *row, const struct column *column, const void *ctx,
			      struct cell *ret_cell)
{
	const struct trim_skip *skip = row;

	(void)ctx;
	if (skip->known)
		cell_number(ret_cell, column->type, skip->bytes);
	else
		cell_null(ret_cell);
}

static const struct column skip_columns[] = {
	{ "why", "WHY", CELL_TEXT, 0, 0, get_why, "the reason" },
	{ "bytes", "BYTES", CELL_BYTES, 0, 0, get_skipped_bytes, "how much" },
};

static const struct nested_rows skip_rows = {
	.columns = skip_columns,
	.column_count = sizeof(skip_columns) / sizeof(skip_columns[0]),
	.row_bytes = sizeof(struct trim_skip),
};

static void get_skipped(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct trim_row *r = row;

	(void)column, (void)ctx;
	cell_rows(ret_cell, &skip_rows, r->skipped, r->skip_count);
}

/* For people, in one line. */
static void get_skipped_text(const void *row, const struct column *column, const void *ctx,
			     struct cell *ret_cell)
{
	const struct trim_row *r = row;
	char *at = ret_cell->scratch, bytes[NUMBER_MAX];
	size_t room = sizeof(ret_cell->scratch), len = 0;

	(void)column, (void)ctx;
	for (size_t i = 0; i < r->skip_count; i++) {
		number_bytes(r->skipped[i].bytes, bytes);
		int more =
			snprintf(at + len, room - len, "%s%s%s%s", i ? ", " : "",
				 memoir_skip_name(r->skipped[i].why),
				 r->skipped[i].known ? " " : "", r->skipped[i].known ? bytes : "");

		/* What does not fit is in JSON. */
		if (more < 0 || (size_t)more >= room - len) {
			len += (size_t)snprintf(at + len, room - len, "%s", "");
			break;
		}
		len += (size_t)more;
	}
	if (len)
		cell_scratch(ret_cell, len);
	else
		cell_null(ret_cell);
}

/* ---- processes ------------------------------------------------------------------------------- */

enum which {
	WHICH_PID,
	WHICH_TICKS,
	WHICH_PLANNED,
	WHICH_SWAP,
	WHICH_MOVED,
	WHICH_MOVED_RANGES,
	WHICH_RACED_RANGES,
	WHICH_HINTED,
	WHICH_HINTED_RANGES,
	WHICH_CALLS,
	WHICH_RACED_CALLS,
	WHICH_HELD,
	WHICH_HELD_MOST,
};

#define NS_PER_US 1000u

static void get_planned(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_plan_process *p = ((const struct trim_row *)row)->planned;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    column->which == WHICH_PID       ? (uint64_t)p->pid
		    : column->which == WHICH_TICKS   ? p->start_ticks
		    : column->which == WHICH_PLANNED ? p->planned_bytes
						     : p->swap_needed_bytes);
}

static void get_comm(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell, ((const struct trim_row *)row)->planned->comm);
}

static void get_moved(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_moved *moved = &((const struct trim_row *)row)->moved;

	(void)ctx;
	if (!moved->known)
		cell_null(ret_cell);
	else
		cell_number(ret_cell, column->type,
			    column->which == WHICH_MOVED ? moved->moved_bytes
							 : moved->moved_ranges);
}

static uint64_t applied_number(const struct memoir_applied_process *applied, enum which which)
{
	switch (which) {
	case WHICH_RACED_RANGES:
		return applied->raced_ranges;
	case WHICH_HINTED:
		return applied->hinted_bytes;
	case WHICH_HINTED_RANGES:
		return applied->hinted_ranges;
	case WHICH_CALLS:
		return applied->calls;
	case WHICH_RACED_CALLS:
		return applied->raced_calls;
	case WHICH_HELD:
		return applied->held_ns / NS_PER_US;
	default:
		return applied->held_most_ns / NS_PER_US;
	}
}

static void get_applied(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_applied_process *applied = ((const struct trim_row *)row)->applied;

	(void)ctx;
	if (applied)
		cell_number(ret_cell, column->type,
			    applied_number(applied, (enum which)column->which));
	else
		cell_null(ret_cell);
}

static void get_hold(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_applied_process *applied = ((const struct trim_row *)row)->applied;

	(void)column, (void)ctx;
	cell_text(ret_cell, applied ? memoir_hold_name(applied->hold) : NULL);
}

enum which_flag {
	FLAG_COOKIE,
	FLAG_ENDED,
	FLAG_GUARD_ENDED,
};

static void get_flag(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_applied_process *applied = ((const struct trim_row *)row)->applied;

	(void)ctx;
	if (applied)
		cell_number(ret_cell, column->type,
			    column->which == FLAG_COOKIE  ? applied->cookie
			    : column->which == FLAG_ENDED ? applied->ended
							  : applied->guard_ended);
	else
		cell_null(ret_cell);
}

static void get_error(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_applied_process *applied = ((const struct trim_row *)row)->applied;

	(void)column, (void)ctx;
	cell_text(ret_cell, applied && applied->error.code ? applied->error.text : NULL);
}

static const struct column columns[] = {
	{ "pid", "PID", CELL_NUMBER, 0, WHICH_PID, get_planned, "process id" },
	{ "start_ticks", "STARTED", CELL_NUMBER, 0, WHICH_TICKS, get_planned,
	  "field 22 of /proc/PID/stat" },
	{ "comm", "COMMAND", CELL_TEXT, 0, 0, get_comm, "name of the command" },
	{ "planned_bytes", "PLANNED", CELL_BYTES, COLUMN_SUMMED, WHICH_PLANNED, get_planned,
	  "what can move" },
	{ "swap_needed_bytes", "TO-SWAP", CELL_BYTES, COLUMN_SUMMED, WHICH_SWAP, get_planned,
	  "the part of it that goes to swap" },
	{ "moved_bytes", "MOVED", CELL_BYTES, COLUMN_SUMMED, WHICH_MOVED, get_moved,
	  "what really moved, by its page tables" },
	{ "moved_ranges", "RANGES", CELL_COUNT, COLUMN_SUMMED, WHICH_MOVED_RANGES, get_moved,
	  "in how many of the planned ranges" },
	{ "raced_ranges", "RACED", CELL_COUNT, COLUMN_SUMMED, WHICH_RACED_RANGES, get_applied,
	  "given while its mappings changed" },
	{ "hinted_bytes", "HINTED", CELL_BYTES, COLUMN_SUMMED, WHICH_HINTED, get_applied,
	  "bytes that hints were given for" },
	{ "hinted_ranges", "HINTED-RANGES", CELL_COUNT, COLUMN_SUMMED, WHICH_HINTED_RANGES,
	  get_applied, "in how many pieces" },
	{ "calls", "CALLS", CELL_COUNT, COLUMN_SUMMED, WHICH_CALLS, get_applied,
	  "of process_madvise(2)" },
	{ "raced_calls", "RACED-CALLS", CELL_COUNT, COLUMN_SUMMED, WHICH_RACED_CALLS, get_applied,
	  "those during which its mappings changed" },
	{ "hold", "HELD-BY", CELL_TEXT, 0, 0, get_hold,
	  "how it was held still: cgroup, ptrace, sigstop" },
	{ "held_us", "HELD-US", CELL_NUMBER, 0, WHICH_HELD, get_applied, "for how long, in all" },
	{ "held_most_us", "HELD-MOST-US", CELL_NUMBER, 0, WHICH_HELD_MOST, get_applied,
	  "and at most at one time" },
	{ "guard_ended", "GUARD-ENDED", CELL_BOOL, 0, FLAG_GUARD_ENDED, get_flag,
	  "somebody ended the guard process meanwhile" },
	{ "cookie", "COOKIE", CELL_BOOL, 0, FLAG_COOKIE, get_flag,
	  "changes of its mappings were told by the kernel's own number" },
	{ "ended", "ENDED", CELL_BOOL, 0, FLAG_ENDED, get_flag, "it ended, or called exec" },
	{ "error", "ERROR", CELL_TEXT, 0, 0, get_error, "why it could not be done" },
	{ "skipped", "SKIPPED", CELL_ROWS, 0, 0, get_skipped, "what is left out, and why" },
	{ "why", "LEFT OUT", CELL_TEXT, COLUMN_FOR_EYES, 0, get_skipped_text,
	  "what is left out, and why, in one line" },
};

const struct table_model trim_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "pid,planned,moved,raced_ranges,hold,why,comm",
};

/* ---- ranges ---------------------------------------------------------------------------------- */

enum which_of_range {
	RANGE_PID,
	RANGE_START,
	RANGE_END,
	RANGE_PLANNED,
	RANGE_RESIDENT_BEFORE,
	RANGE_RESIDENT_AFTER,
	RANGE_SWAPPED_BEFORE,
	RANGE_SWAPPED_AFTER,
};

static void get_of_range(const void *row, const struct column *column, const void *ctx,
			 struct cell *ret_cell)
{
	const struct trim_range_row *r = row;
	uint64_t number;

	(void)ctx;
	switch ((enum which_of_range)column->which) {
	case RANGE_PID:
		number = (uint64_t)r->plan->processes[r->range->process].pid;
		break;
	case RANGE_START:
		number = r->range->start;
		break;
	case RANGE_END:
		number = r->range->end;
		break;
	default:
		number = r->range->planned_bytes;
	}
	cell_number(ret_cell, column->type, number);
}

static void get_residence(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	const struct trim_range_row *r = row;
	bool before =
		column->which == RANGE_RESIDENT_BEFORE || column->which == RANGE_SWAPPED_BEFORE;
	bool swapped =
		column->which == RANGE_SWAPPED_BEFORE || column->which == RANGE_SWAPPED_AFTER;
	const struct memoir_residence *residence = before ? &r->before : &r->after;

	(void)ctx;
	if (residence->known)
		cell_number(ret_cell, column->type,
			    swapped ? residence->swapped_bytes : residence->resident_bytes);
	else
		cell_null(ret_cell);
}

static void get_range_text(const void *row, const struct column *column, const void *ctx,
			   struct cell *ret_cell)
{
	const struct trim_range_row *r = row;

	(void)ctx;
	cell_text(ret_cell, column->which ? memoir_kind_name(r->range->kind) : r->range->name);
}

static const struct column range_columns[] = {
	{ "pid", "PID", CELL_NUMBER, 0, RANGE_PID, get_of_range, "process id" },
	{ "start", "START", CELL_ADDRESS, 0, RANGE_START, get_of_range, "first address" },
	{ "end", "END", CELL_ADDRESS, 0, RANGE_END, get_of_range, "the address behind the last" },
	{ "kind", "KIND", CELL_TEXT, 0, 1, get_range_text, "what it is" },
	{ "planned_bytes", "PLANNED", CELL_BYTES, 0, RANGE_PLANNED, get_of_range, "what can move" },
	{ "resident_before_bytes", "RAM-BEFORE", CELL_BYTES, 0, RANGE_RESIDENT_BEFORE,
	  get_residence, "what of it was in RAM" },
	{ "resident_after_bytes", "RAM-AFTER", CELL_BYTES, 0, RANGE_RESIDENT_AFTER, get_residence,
	  "what of it is in RAM" },
	{ "swapped_before_bytes", "SWAP-BEFORE", CELL_BYTES, 0, RANGE_SWAPPED_BEFORE, get_residence,
	  "what of it was in swap; not of shared memory" },
	{ "swapped_after_bytes", "SWAP-AFTER", CELL_BYTES, 0, RANGE_SWAPPED_AFTER, get_residence,
	  "what of it is in swap; not of shared memory" },
	{ "name", "NAME", CELL_TEXT, 0, 0, get_range_text, "its name, file or kind" },
};

const struct table_model trim_range_model = {
	.columns = range_columns,
	.column_count = sizeof(range_columns) / sizeof(range_columns[0]),
	.shown = "pid,planned,resident_before_bytes,resident_after_bytes,name",
};
