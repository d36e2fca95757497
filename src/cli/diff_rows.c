// SPDX-License-Identifier: MIT
/*
 * What changed as rows: their columns, over the comparison that libmemoir makes.
 */
#include "cli/diff_rows.h"

#include <stdio.h>

#include <memoir/analysis.h>

#include "analysis/diff.h"

/* The side that tells who a row is: as it is now, or as it was. */
static const struct memoir_diff_side *shown_side(const struct memoir_diff_row *row)
{
	return row->after.present ? &row->after : &row->before;
}

enum which {
	WHICH_BY,
	WHICH_CHANGE,
	WHICH_COMM,
	WHICH_COMM_BEFORE,
	WHICH_NAME,
	WHICH_SOURCE,
	WHICH_KIND,
	WHICH_PATH,
	WHICH_PATH_BEFORE,
	WHICH_PID,
	WHICH_START,
	WHICH_PROCESSES,
	WHICH_PROCESSES_BEFORE,
	WHICH_REGIONS,
	WHICH_REGIONS_BEFORE,
};

static const char *comm_of(const struct memoir_diff_side *side)
{
	return side->process ? side->process->comm : NULL;
}

static const char *path_of(const struct memoir_diff_side *side)
{
	return side->object ? side->object->path : NULL;
}

static const char *text_of(const struct memoir_diff_row *row, unsigned int which)
{
	switch (which) {
	case WHICH_BY:
		return memoir_diff_by_name(row->by);
	case WHICH_CHANGE:
		return memoir_change_name(row->change);
	case WHICH_COMM:
		return comm_of(shown_side(row));
	case WHICH_COMM_BEFORE:
		return comm_of(&row->before);
	case WHICH_NAME:
		return row->name;
	case WHICH_SOURCE:
		return row->by == MEMOIR_DIFF_NAME ? memoir_name_source_name(row->source) : NULL;
	case WHICH_KIND:
		return row->by == MEMOIR_DIFF_PROCESS ? NULL : memoir_kind_name(row->kind);
	case WHICH_PATH:
		return path_of(shown_side(row));
	default:
		return path_of(&row->before);
	}
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)ctx;
	cell_text(ret_cell, text_of(row, column->which));
}

static void get_process_number(const void *row, const struct column *column, const void *ctx,
			       struct cell *ret_cell)
{
	const struct memoir_process *process = shown_side(row)->process;

	(void)ctx;
	if (process)
		cell_number(ret_cell, column->type,
			    column->which == WHICH_PID ? (uint64_t)process->pid
						       : process->start_ticks);
	else
		cell_null(ret_cell);
}

static void get_exec(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_diff_row *r = row;

	(void)ctx;
	if (r->exec_known)
		cell_number(ret_cell, column->type, r->exec);
	else
		cell_null(ret_cell);
}

static void get_id(const void *row, const struct column *column, const void *ctx,
		   struct cell *ret_cell)
{
	const char *name = ((const struct memoir_diff_row *)row)->name;

	(void)ctx;
	if (name)
		cell_number(ret_cell, column->type, memoir_name_id(name));
	else
		cell_null(ret_cell);
}

static void get_object(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_object *object = shown_side(row)->object;

	(void)column, (void)ctx;
	_Static_assert(MEMOIR_OBJECT_ID_MAX <= sizeof(ret_cell->scratch), "ids have room");
	cell_text(ret_cell, object ? memoir_object_id(object, ret_cell->scratch) : NULL);
}

static void get_count(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_diff_row *r = row;
	bool before =
		column->which == WHICH_PROCESSES_BEFORE || column->which == WHICH_REGIONS_BEFORE;
	bool processes =
		column->which == WHICH_PROCESSES || column->which == WHICH_PROCESSES_BEFORE;
	const struct memoir_diff_side *side = before ? &r->before : &r->after;

	(void)ctx;
	if (side->present)
		cell_number(ret_cell, column->type, processes ? side->processes : side->regions);
	else
		cell_null(ret_cell);
}

/* ---- for people ----------------------------------------------------------------------------- */

static void get_what(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_diff_row *r = row;
	const char *change = memoir_change_name(r->change);

	(void)column, (void)ctx;
	if (!r->exec)
		cell_text(ret_cell, change);
	else if (r->change == MEMOIR_CHANGE_OTHER)
		cell_text(ret_cell, "exec");
	else
		cell_scratch(ret_cell,
			     (size_t)snprintf(ret_cell->scratch, sizeof(ret_cell->scratch),
					      "%s, exec", change));
}

/* A command that has another name now has both. */
static void get_command(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_diff_row *r = row;
	const char *before = comm_of(&r->before), *after = comm_of(&r->after);

	(void)column, (void)ctx;
	if (!before || !after || strcmp(before, after) == 0) {
		cell_text(ret_cell, after ? after : before);
		return;
	}
	int len = snprintf(ret_cell->scratch, sizeof(ret_cell->scratch), "%.40s -> %.40s", before,
			   after);

	cell_scratch(ret_cell, (size_t)len);
}

/* ---- amounts -------------------------------------------------------------------------------- */

enum part { PART_AFTER, PART_BEFORE, PART_DELTA };

#define PART_SHIFT 8

static void get_amount(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_diff_row *r = row;
	unsigned int amount = column->which & ((1u << PART_SHIFT) - 1);
	bool before = column->which >> PART_SHIFT == PART_BEFORE;
	uint64_t bytes;

	(void)ctx;
	if (diff_amount_of(before ? &r->before : &r->after, amount, &bytes))
		cell_number(ret_cell, column->type, bytes);
	else
		cell_null(ret_cell);
}

static void get_delta(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	unsigned int amount = column->which & ((1u << PART_SHIFT) - 1);
	struct memoir_delta delta = diff_delta_of(row, amount);

	(void)ctx;
	if (delta.known)
		cell_delta(ret_cell, delta.negative, delta.bytes);
	else
		cell_null(ret_cell);
}

#define AMOUNT_COLUMNS(name, head, amount, help)                                                   \
	{ name "_bytes", head, CELL_BYTES, 0, amount, get_amount, help },                          \
		{ name "_before_bytes",                                                            \
		  head "-BEFORE",                                                                  \
		  CELL_BYTES,                                                                      \
		  0,                                                                               \
		  PART_BEFORE << PART_SHIFT | (amount),                                            \
		  get_amount,                                                                      \
		  "the same before" },                                                             \
	{                                                                                          \
		name "_delta_bytes", "+-" head, CELL_DELTA, COLUMN_SUMMED,                         \
			PART_DELTA << PART_SHIFT | (amount), get_delta, "by how much that changed" \
	}

static const struct column columns[] = {
	{ "by", "BY", CELL_TEXT, 0, WHICH_BY, get_text,
	  "what the row is about: process, name, object" },
	{ "change", "CHANGE", CELL_TEXT, 0, WHICH_CHANGE, get_text,
	  "came, went, grew, shrank, other" },
	{ "what", "CHANGE", CELL_TEXT, COLUMN_FOR_EYES, 0, get_what, "change and exec in one" },
	{ "pid", "PID", CELL_NUMBER, 0, WHICH_PID, get_process_number, "process id" },
	{ "start_ticks", "START", CELL_NUMBER, 0, WHICH_START, get_process_number,
	  "start time: field 22 of /proc/PID/stat" },
	{ "comm", "COMMAND", CELL_TEXT, 0, WHICH_COMM, get_text, "name of the command" },
	{ "comm_before", "COMMAND-BEFORE", CELL_TEXT, 0, WHICH_COMM_BEFORE, get_text,
	  "the same before" },
	{ "command", "COMMAND", CELL_TEXT, COLUMN_FOR_EYES, 0, get_command, "both in one" },
	{ "exec", "EXEC", CELL_BOOL, 0, 0, get_exec, "whether the process called exec in between" },
	{ "name", "NAME", CELL_TEXT, 0, WHICH_NAME, get_text,
	  "the name, the path of the file, or the kind in brackets" },
	{ "name_source", "SOURCE", CELL_TEXT, 0, WHICH_SOURCE, get_text,
	  "where the name comes from" },
	{ "id", "ID", CELL_ID, 0, 0, get_id, "XXH3-64 of the name" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text,
	  "what the regions or the object are" },
	{ "object", "OBJECT", CELL_TEXT, 0, 0, get_object, "the id of the object" },
	{ "path", "PATH", CELL_TEXT, 0, WHICH_PATH, get_text, "the path of the object" },
	{ "path_before", "PATH-BEFORE", CELL_TEXT, 0, WHICH_PATH_BEFORE, get_text,
	  "the same before" },
	{ "processes", "PROCESSES", CELL_COUNT, 0, WHICH_PROCESSES, get_count,
	  "how many processes have such regions" },
	{ "processes_before", "PROCESSES-BEFORE", CELL_COUNT, 0, WHICH_PROCESSES_BEFORE, get_count,
	  "the same before" },
	{ "regions", "REGIONS", CELL_COUNT, 0, WHICH_REGIONS, get_count,
	  "how many such regions there are" },
	{ "regions_before", "REGIONS-BEFORE", CELL_COUNT, 0, WHICH_REGIONS_BEFORE, get_count,
	  "the same before" },
	AMOUNT_COLUMNS("rss", "RSS", MEMOIR_RSS, "resident: pages in RAM that it maps"),
	AMOUNT_COLUMNS("pss", "PSS", MEMOIR_PSS, "proportional: each page divided by its mappings"),
	AMOUNT_COLUMNS("uss", "USS", MEMOIR_USS, "private: pages with one mapping"),
	AMOUNT_COLUMNS("shared", "SHARED", MEMOIR_SHARED, "pages with several mappings"),
	AMOUNT_COLUMNS("swap", "SWAP", MEMOIR_SWAP, "pages swapped out"),
	AMOUNT_COLUMNS("swap_pss", "SWAP-PSS", MEMOIR_SWAP_PSS,
		       "swapped out, each page divided by its users"),
	AMOUNT_COLUMNS("anon", "ANON", MEMOIR_ANON, "resident anonymous pages"),
	AMOUNT_COLUMNS("file", "FILE", MEMOIR_FILE, "resident pages of files"),
	AMOUNT_COLUMNS("shmem", "SHMEM", MEMOIR_SHMEM, "resident pages of shmem"),
	AMOUNT_COLUMNS("thp", "THP", MEMOIR_THP, "mapped as transparent huge pages"),
	AMOUNT_COLUMNS("hugetlb", "HUGETLB", MEMOIR_HUGETLB, "pages of hugetlb, not part of rss"),
	AMOUNT_COLUMNS("page_table", "TABLES", DIFF_PAGE_TABLES, "page tables of the process"),
	AMOUNT_COLUMNS("resident", "RESIDENT", DIFF_RESIDENT,
		       "all pages of the object in RAM, mapped or not"),
	AMOUNT_COLUMNS("swapped", "SWAPPED", DIFF_SWAPPED, "pages of the object swapped out"),
};

#define SHOWN "pss_delta,pss,uss_delta,rss_delta,swap_delta"
#define MODEL(columns_shown)                                                              \
	{                                                                                 \
		.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0]), \
		.shown = (columns_shown)                                                  \
	}

const struct table_model diff_models[MEMOIR_DIFF_WAYS] = {
	[MEMOIR_DIFF_PROCESS] = MODEL("what,pid," SHOWN ",command"),
	[MEMOIR_DIFF_NAME] = MODEL("what,processes," SHOWN ",kind,name"),
	[MEMOIR_DIFF_OBJECT] =
		MODEL("what,pss_delta,pss,resident_delta,resident,swapped_delta,kind,object,path"),
};
