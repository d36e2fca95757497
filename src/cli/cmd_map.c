// SPDX-License-Identifier: MIT
/*
 * memoir map: the regions of one process.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/select.h"
#include "cli/figures.h"

enum which {
	WHICH_START,
	WHICH_END,
	WHICH_OFFSET,
	WHICH_PERMS,
	WHICH_KIND,
	WHICH_NAME,
	WHICH_SOURCE,
	WHICH_PATH,
	WHICH_WHY,
	WHICH_MARK,
};

static void get_number(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_region *region = row;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    column->which == WHICH_START ? region->start
		    : column->which == WHICH_END ? region->end
						 : region->offset_bytes);
}

static const char *text_of(const struct memoir_region *region, unsigned int which)
{
	switch (which) {
	case WHICH_PERMS:
		return region->perms;
	case WHICH_KIND:
		return memoir_kind_name(region->kind);
	case WHICH_NAME:
		return region->name;
	case WHICH_SOURCE:
		return memoir_name_source_name(region->name_source);
	case WHICH_PATH:
		return region->path;
	case WHICH_WHY:
		return region->inexact_why;
	default:
		return region->exact ? "" : "~";
	}
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)ctx;
	cell_text(ret_cell, text_of(row, column->which));
}

static void put_id(const struct memoir_snapshot *snapshot, uint32_t index, struct cell *ret_cell)
{
	const struct memoir_object *object =
		index != MEMOIR_NONE ? memoir_snapshot_object(snapshot, index) : NULL;

	cell_text(ret_cell, object ? memoir_object_id(object, ret_cell->scratch) : NULL);
}

static void get_family(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	(void)column;
	put_id(ctx, ((const struct memoir_region *)row)->family, ret_cell);
}

/* What it maps: a file or the like, and where there is none, its family. */
static void get_object(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_region *region = row;

	(void)column;
	put_id(ctx, region->object == MEMOIR_NONE ? region->family : region->object, ret_cell);
}

static void get_exact(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	(void)ctx;
	cell_number(ret_cell, column->type, ((const struct memoir_region *)row)->exact);
}

static void get_figure(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	(void)ctx;
	figure_cell(&((const struct memoir_region *)row)->figures, column->which, ret_cell);
}

static const struct column columns[] = {
	{ "start", "START", CELL_ADDRESS, 0, WHICH_START, get_number, "its first address" },
	{ "end", "END", CELL_ADDRESS, 0, WHICH_END, get_number, "the address behind its last" },
	{ "perms", "PERM", CELL_TEXT, 0, WHICH_PERMS, get_text, "permissions; s is shared" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text, "what it is" },
	{ "name", "NAME", CELL_TEXT, 0, WHICH_NAME, get_text, "the name given to it" },
	{ "name_source", "SOURCE", CELL_TEXT, 0, WHICH_SOURCE, get_text,
	  "where the name comes from" },
	{ "path", "PATH", CELL_TEXT, 0, WHICH_PATH, get_text, "as /proc/PID/maps shows it" },
	{ "object", "OBJECT", CELL_TEXT, 0, 0, get_object,
	  "the file or other object, or the anonymous family" },
	FIGURE_COLUMNS(get_figure),
	{ "exact", "EXACT", CELL_BOOL, 0, 0, get_exact, "whether the figures are exact" },
	{ "inexact_why", "WHY", CELL_TEXT, 0, WHICH_WHY, get_text, "why they are not" },
	{ "offset_bytes", "OFFSET", CELL_BYTES, 0, WHICH_OFFSET, get_number,
	  "where it begins in the object" },
	{ "family", "FAMILY", CELL_TEXT, 0, 0, get_family,
	  "the anonymous family of its own pages" },
	{ "mark", "", CELL_TEXT, COLUMN_FOR_EYES, WHICH_MARK, get_text,
	  "~ where the figures are not exact" },
};

static const struct table_model model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "start,end,perms,kind," FIGURES_SHOWN ",mark,name,path",
	.pure = true,
};

/* The one process that is meant; says so where it is none or several, and returns NULL. */
static const struct memoir_process *find_process(const struct cli *cli)
{
	size_t count = memoir_snapshot_process_count(cli->snapshot), found = 0, used = 0;
	const struct memoir_process *only = NULL;
	char pids[128] = "";

	for (size_t i = 0; i < count; i++) {
		const struct memoir_process *process = memoir_snapshot_process(cli->snapshot, i);

		if (!cli_wants_process(cli, process))
			continue;
		if (used + 16 < sizeof(pids))
			used += (size_t)snprintf(pids + used, sizeof(pids) - used, " %d",
						 (int)process->pid);
		only = process;
		found++;
	}
	if (found == 0)
		complain("there is no such process");
	if (found > 1)
		complain("map takes one process, and %zu match: the pids%s%s", found, pids,
			 used + 16 < sizeof(pids) ? "" : " ...");
	return found == 1 ? only : NULL;
}

static const void **region_rows(const struct cli *cli, const struct memoir_process *process,
				size_t *ret_count)
{
	const void **rows = calloc((size_t)process->region_count + 1, sizeof(*rows));
	size_t count = 0;

	for (uint32_t i = 0; rows && i < process->region_count; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(cli->snapshot, (size_t)process->first_region + i);

		if (region && selection_matches_region_part(cli->selection, cli->snapshot, region))
			rows[count++] = region;
	}
	*ret_count = count;
	return rows;
}

static int print_map(struct cli *cli, const struct memoir_process *process)
{
	struct json_field fields[3] = { { .name = "pid" },
					{ .name = "start_ticks" },
					{ .name = "comm" } };
	struct report report = { .schema = "memoir.map/1", .fields = fields, .field_count = 3 };
	size_t count;
	const void **rows = region_rows(cli, process, &count);

	if (!rows)
		return cli_no_memory();
	cell_number(&fields[0].cell, CELL_COUNT, (uint64_t)process->pid);
	cell_number(&fields[1].cell, CELL_COUNT, process->start_ticks);
	cell_text(&fields[2].cell, process->comm);
	int code = cli_print_rows(cli, &report, rows, count, cli->snapshot);

	free(rows);
	return code;
}

static int run(struct cli *cli)
{
	int code = cli_take_snapshot(cli);

	if (code != EXIT_DONE)
		return code;
	const struct memoir_process *process = find_process(cli);

	return process ? print_map(cli, process) : EXIT_FAILED;
}

const struct command map_command = {
	.name = "map",
	.args = "PID|SELECTOR...",
	.summary = "the regions of one process",
	.doc = "Print the regions of one process."
	       "\vThe process is a pid, or what the one process that matches a SELECTOR has: comm "
	       "user "
	       "cgroup. Further selectors (name path kind object) and PID:START-END leave only the "
	       "regions that match.",
	.model = &model,
	.flags = COMMAND_SNAPSHOT | COMMAND_WITHOUT_SETS | COMMAND_WITHOUT_HOLDERS |
		 COMMAND_NEEDS_ARG,
	.run = run,
};
