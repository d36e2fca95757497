// SPDX-License-Identifier: MIT
/*
 * Names as rows: their columns, over the sums that libmemoir makes.
 */
#include "cli/rows.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/figures.h"

enum which {
	WHICH_NAME,
	WHICH_KIND,
	WHICH_SOURCE,
	WHICH_ID,
	WHICH_PROCESSES,
	WHICH_REGIONS,
};

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_name_sum *sum = row;

	(void)ctx;
	cell_text(ret_cell, column->which == WHICH_NAME   ? sum->name
			    : column->which == WHICH_KIND ? memoir_kind_name(sum->kind)
							  : memoir_name_source_name(sum->source));
}

static void get_number(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_name_sum *sum = row;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    column->which == WHICH_ID          ? sum->id
		    : column->which == WHICH_PROCESSES ? sum->processes
						       : sum->regions);
}

static void get_figure(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	(void)ctx;
	figure_cell(&((const struct memoir_name_sum *)row)->figures, column->which, ret_cell);
}

static const struct column columns[] = {
	{ "name", "NAME", CELL_TEXT, 0, WHICH_NAME, get_text,
	  "the name, the path of the file, or the kind in brackets" },
	{ "id", "ID", CELL_ID, 0, WHICH_ID, get_number, "XXH3-64 of the name" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text, "what the regions are" },
	{ "name_source", "SOURCE", CELL_TEXT, 0, WHICH_SOURCE, get_text,
	  "where the name comes from" },
	{ "processes", "PROCESSES", CELL_COUNT, 0, WHICH_PROCESSES, get_number,
	  "how many processes have such regions" },
	{ "regions", "REGIONS", CELL_COUNT, COLUMN_SUMMED, WHICH_REGIONS, get_number,
	  "how many such regions there are" },
	FIGURE_COLUMNS(get_figure),
};

const struct table_model name_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "processes,regions," FIGURES_SHOWN ",kind,name",
	.sort = "pss_bytes",
};

int name_rows_make(const struct cli *cli, struct name_rows *ret_rows)
{
	struct name_rows rows = { 0 };
	int ret = memoir_names_sum(cli->snapshot, cli->selection, &rows.sums);

	if (ret < 0)
		return ret;
	rows.pointers = calloc(rows.sums.count + 1, sizeof(*rows.pointers));
	if (!rows.pointers) {
		name_rows_free(&rows);
		return -ENOMEM;
	}
	for (size_t i = 0; i < rows.sums.count; i++)
		rows.pointers[i] = &rows.sums.rows[i];
	*ret_rows = rows;
	return 0;
}

void name_rows_free(struct name_rows *rows)
{
	memoir_name_sums_free(&rows->sums);
	free(rows->pointers);
	*rows = (struct name_rows){ 0 };
}
