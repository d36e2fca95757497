// SPDX-License-Identifier: MIT
/*
 * The columns of memoir idle.
 */
#include "cli/idle_rows.h"

#include "present/number.h"

enum which {
	WHICH_PID,
	WHICH_TICKS,
	WHICH_COMM,
	WHICH_START,
	WHICH_END,
	WHICH_PERMS,
	WHICH_KIND,
	WHICH_NAME,
	WHICH_SOURCE,
	WHICH_PATH,
	WHICH_PROCESSES,
	WHICH_REGIONS,
	WHICH_RSS,
	WHICH_IDLE,
	WHICH_TOUCHED,
	WHICH_UNKNOWN,
};

static void get_of_process(const void *row, const struct column *column, const void *ctx,
			   struct cell *ret_cell)
{
	const struct memoir_process *process = ((const struct memoir_idle_row *)row)->process;

	(void)ctx;
	if (!process)
		cell_null(ret_cell);
	else if (column->which == WHICH_COMM)
		cell_text(ret_cell, process->comm);
	else
		cell_number(ret_cell, column->type,
			    column->which == WHICH_PID ? (uint64_t)process->pid
						       : process->start_ticks);
}

static void get_of_region(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	const struct memoir_region *region = ((const struct memoir_idle_row *)row)->region;

	(void)ctx;
	if (!region)
		cell_null(ret_cell);
	else if (column->which == WHICH_PERMS)
		cell_text(ret_cell, region->perms);
	else if (column->which == WHICH_PATH)
		cell_text(ret_cell, region->path);
	else
		cell_number(ret_cell, column->type,
			    column->which == WHICH_START ? region->start : region->end);
}

/* By region a name is one that was given; by name it is what memory is summed by. */
static const char *name_of(const struct memoir_idle_row *row)
{
	return row->region ? row->region->name : row->name;
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_idle_row *r = row;
	enum memoir_name_source source = r->region ? r->region->name_source : r->source;

	(void)ctx;
	if (column->which == WHICH_NAME)
		cell_text(ret_cell, name_of(r));
	else if (column->which == WHICH_KIND)
		cell_text(ret_cell, r->name ? memoir_kind_name(r->kind) : NULL);
	else
		cell_text(ret_cell, memoir_name_source_name(source));
}

static void get_count(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_idle_row *r = row;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    column->which == WHICH_PROCESSES ? r->processes : r->regions);
}

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
	{ "pid", "PID", CELL_NUMBER, 0, WHICH_PID, get_of_process, "the process" },
	{ "comm", "COMM", CELL_TEXT, 0, WHICH_COMM, get_of_process, "the name of its command" },
	{ "start", "START", CELL_ADDRESS, 0, WHICH_START, get_of_region,
	  "the region's first address" },
	{ "end", "END", CELL_ADDRESS, 0, WHICH_END, get_of_region, "the address behind its last" },
	{ "rss_bytes", "RSS", CELL_BYTES, COLUMN_SUMMED, WHICH_RSS, get_bytes,
	  "resident when it was looked at" },
	{ "idle_bytes", "IDLE", CELL_BYTES, COLUMN_SUMMED, WHICH_IDLE, get_bytes,
	  "of that, not touched all the time" },
	{ "touched_bytes", "TOUCHED", CELL_BYTES, COLUMN_SUMMED, WHICH_TOUCHED, get_bytes,
	  "touched, or new" },
	{ "unknown_bytes", "UNKNOWN", CELL_BYTES, COLUMN_SUMMED, WHICH_UNKNOWN, get_bytes,
	  "touched once, but the means can't tell when" },
	{ "idle_percent", "IDLE%", CELL_TEXT, COLUMN_FOR_EYES | COLUMN_RIGHT, 0, get_percent,
	  "idle_bytes of rss_bytes" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text, "what it is" },
	{ "name", "NAME", CELL_TEXT, 0, WHICH_NAME, get_text,
	  "the name given to it; by name as memoir names has it" },
	{ "name_source", "SOURCE", CELL_TEXT, 0, WHICH_SOURCE, get_text,
	  "where the name comes from" },
	{ "path", "PATH", CELL_TEXT, 0, WHICH_PATH, get_of_region, "as /proc/PID/maps shows it" },
	{ "perms", "PERM", CELL_TEXT, 0, WHICH_PERMS, get_of_region, "permissions; s is shared" },
	{ "processes", "PROCESSES", CELL_COUNT, 0, WHICH_PROCESSES, get_count,
	  "how many processes it is of" },
	{ "regions", "REGIONS", CELL_COUNT, COLUMN_SUMMED, WHICH_REGIONS, get_count,
	  "how many regions it is of" },
	{ "start_ticks", "STARTED", CELL_NUMBER, 0, WHICH_TICKS, get_of_process,
	  "when the process started, field 22 of /proc/PID/stat" },
};

const struct table_model idle_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "pid,comm,start,end,rss_bytes,idle_bytes,idle_percent,kind,name,path",
	.sort = "idle_bytes",
};

const char *idle_columns(enum memoir_idle_by by)
{
	switch (by) {
	case MEMOIR_IDLE_BY_NAME:
		return "processes,regions,rss_bytes,idle_bytes,idle_percent,kind,name";
	case MEMOIR_IDLE_BY_PROCESS:
		return "pid,comm,regions,rss_bytes,idle_bytes,idle_percent";
	default:
		return NULL;
	}
}
