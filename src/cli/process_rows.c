// SPDX-License-Identifier: MIT
/*
 * Processes as rows: their columns, and which of them are meant.
 */
#include "cli/rows.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/select.h"
#include "cli/figures.h"

enum which {
	WHICH_PID,
	WHICH_PPID,
	WHICH_UID,
	WHICH_START,
	WHICH_BUFFERS,
	WHICH_REFERENCES,
	WHICH_SHARE,
	WHICH_MAPPED_SHARE,
	WHICH_EXTRA,
	WHICH_UNIQUE,
};

static void get_number(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_process *process = ((const struct process_row *)row)->process;
	uint64_t number = column->which == WHICH_PID    ? (uint64_t)process->pid
			  : column->which == WHICH_PPID ? (uint64_t)process->ppid
			  : column->which == WHICH_UID  ? process->uid
							: process->start_ticks;

	(void)ctx;
	if (column->which == WHICH_UID && process->uid == (uid_t)-1)
		cell_text(ret_cell, NULL);
	else
		cell_number(ret_cell, column->type, number);
}

static void get_comm(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell, ((const struct process_row *)row)->process->comm);
}

static void get_user(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell, ((const struct process_row *)row)->user);
}

static void get_cgroup(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell, ((const struct process_row *)row)->process->cgroup);
}

static void get_peers(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_process *process = ((const struct process_row *)row)->process;

	(void)column, (void)ctx;
	cell_pids(ret_cell, process->peers, process->peer_count);
}

static void get_figure(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	(void)ctx;
	figure_cell(&((const struct process_row *)row)->figures, column->which, ret_cell);
}

/* Page tables are the whole process's, not those of some regions. */
static void get_page_tables(const void *row, const struct column *column, const void *ctx,
			    struct cell *ret_cell)
{
	const struct process_row *r = row;

	(void)ctx;
	if (r->whole && r->process->page_table_known)
		cell_number(ret_cell, column->type, r->process->page_table_bytes);
	else
		cell_null(ret_cell);
}

/* A process as a whole has them. */
static void get_footprint(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	const struct memoir_footprint *footprint = ((const struct process_row *)row)->footprint;

	(void)ctx;
	if (footprint && footprint->footprint_known)
		cell_number(ret_cell, column->type, footprint->footprint_bytes);
	else
		cell_null(ret_cell);
}

static void get_freed(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_footprint *footprint = ((const struct process_row *)row)->footprint;

	(void)ctx;
	if (footprint && footprint->freed_if_killed_known)
		cell_number(ret_cell, column->type, footprint->freed_if_killed_bytes);
	else
		cell_null(ret_cell);
}

static void get_buffers(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_process_buffers *sum = ((const struct process_row *)row)->buffers;

	(void)ctx;
	if (!sum)
		cell_null(ret_cell);
	else
		cell_number(ret_cell, column->type,
			    column->which == WHICH_BUFFERS        ? sum->buffers
			    : column->which == WHICH_REFERENCES   ? sum->references
			    : column->which == WHICH_SHARE        ? sum->share_bytes
			    : column->which == WHICH_MAPPED_SHARE ? sum->mapped_share_bytes
			    : column->which == WHICH_EXTRA        ? sum->extra_bytes
								  : sum->unique_bytes);
}

static const struct column columns[] = {
	{ "pid", "PID", CELL_NUMBER, 0, WHICH_PID, get_number, "process id" },
	{ "start_ticks", "START", CELL_NUMBER, 0, WHICH_START, get_number,
	  "start time: field 22 of /proc/PID/stat" },
	{ "comm", "COMMAND", CELL_TEXT, 0, 0, get_comm, "name of the command" },
	{ "user", "USER", CELL_TEXT, 0, 0, get_user, "its user, or the number" },
	{ "cgroup", "CGROUP", CELL_TEXT, 0, 0, get_cgroup, "its cgroup" },
	{ "peers", "PEERS", CELL_PIDS, 0, 0, get_peers,
	  "other processes with this very address space" },
	FIGURE_COLUMNS(get_figure),
	{ "page_table_bytes", "TABLES", CELL_BYTES, COLUMN_SUMMED, 0, get_page_tables,
	  "its page tables" },
	{ "footprint_bytes", "FOOTPRINT", CELL_BYTES, COLUMN_SUMMED, 0, get_footprint,
	  "its even share of all it maps, and of buffers that nobody maps" },
	{ "freed_if_killed_bytes", "FREED", CELL_BYTES, 0, 0, get_freed,
	  "RAM that comes back if it alone is killed" },
	{ "ppid", "PPID", CELL_NUMBER, 0, WHICH_PPID, get_number, "process id of the parent" },
	{ "uid", "UID", CELL_NUMBER, 0, WHICH_UID, get_number, "user id" },
	{ "buffers", "BUFFERS", CELL_COUNT, COLUMN_FOR_EYES, WHICH_BUFFERS, get_buffers,
	  "shared buffers that it holds (--buffers)" },
	{ "buffer_references", "REFS", CELL_COUNT, COLUMN_FOR_EYES, WHICH_REFERENCES, get_buffers,
	  "its fds and mappings of them" },
	{ "buffer_share_bytes", "BUF-SHARE", CELL_BYTES, COLUMN_FOR_EYES | COLUMN_SUMMED,
	  WHICH_SHARE, get_buffers, "what of them is in RAM, split over those that hold each" },
	{ "buffer_mapped_share_bytes", "BUF-PSS", CELL_BYTES, COLUMN_FOR_EYES | COLUMN_SUMMED,
	  WHICH_MAPPED_SHARE, get_buffers, "what of them is in its pss: split over mappings" },
	{ "buffer_extra_bytes", "BUF-EXTRA", CELL_BYTES, COLUMN_FOR_EYES | COLUMN_SUMMED,
	  WHICH_EXTRA, get_buffers, "its share of what of them is in no process's rss" },
	{ "buffer_unique_bytes", "BUF-UNIQUE", CELL_BYTES, COLUMN_FOR_EYES | COLUMN_SUMMED,
	  WHICH_UNIQUE, get_buffers, "what is in RAM of those that nobody else holds" },
};

const struct table_model process_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "pid,user," FIGURES_SHOWN ",comm",
	.sort = "pss_bytes",
};

/* Add up the regions that are meant; whether there is one. */
static bool sum_regions(const struct cli *cli, struct process_row *row)
{
	const struct memoir_process *process = row->process;
	bool any = false;

	for (uint32_t i = 0; i < process->region_count; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(cli->snapshot, (size_t)process->first_region + i);

		if (!region ||
		    !selection_matches_region_part(cli->selection, cli->snapshot, region))
			continue;
		memoir_figures_add(&row->figures, &region->figures);
		any = true;
	}
	return any;
}

static int add_row(const struct cli *cli, struct process_rows *rows, bool by_region, size_t index)
{
	const struct memoir_process *process = memoir_snapshot_process(cli->snapshot, index);
	struct process_row *row = &rows->rows[rows->count];

	*row = (struct process_row){ .process = process, .whole = !by_region };
	if (row->whole)
		row->footprint = &rows->footprints[index];
	if (row->whole && rows->buffers)
		row->buffers = &rows->buffers[index];
	if (!by_region)
		row->figures = process->figures;
	else if (!sum_regions(cli, row))
		return 0;
	/* A user that could not be read stays absent. */
	if (process->uid != (uid_t)-1) {
		row->user = users_name(&rows->users, process->uid);
		if (!row->user)
			return -ENOMEM;
	}
	rows->pointers[rows->count++] = row;
	return 0;
}

/* By the option, or by name. */
static bool wants_buffers(const struct cli *cli)
{
	return cli->buffers || (cli->shape.columns && strstr(cli->shape.columns, "buffer")) ||
	       (cli->shape.sort && strstr(cli->shape.sort, "buffer"));
}

int process_rows_make(const struct cli *cli, struct process_rows *ret_rows)
{
	size_t count = memoir_snapshot_process_count(cli->snapshot);
	bool by_region = memoir_selection_has_region_keys(cli->selection);
	struct process_rows rows = {
		.rows = calloc(count + 1, sizeof(*rows.rows)),
		.pointers = calloc(count + 1, sizeof(*rows.pointers)),
	};
	int ret = rows.rows && rows.pointers ? memoir_footprints(cli->snapshot, &rows.footprints)
					     : -ENOMEM;

	if (ret == 0 && wants_buffers(cli))
		ret = memoir_process_buffers(cli->snapshot, &rows.buffers);
	for (size_t i = 0; i < count && ret == 0; i++)
		if (cli_wants_process(cli, memoir_snapshot_process(cli->snapshot, i)))
			ret = add_row(cli, &rows, by_region, i);
	if (ret < 0) {
		process_rows_free(&rows);
		return ret;
	}
	*ret_rows = rows;
	return 0;
}

void process_rows_free(struct process_rows *rows)
{
	free(rows->rows);
	free(rows->pointers);
	free(rows->footprints);
	free(rows->buffers);
	users_free(&rows->users);
	*rows = (struct process_rows){ 0 };
}
