// SPDX-License-Identifier: MIT
/*
 * Names, and groups of names, as rows: their columns, over the sums that libmemoir makes.
 */
#include "cli/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/figures.h"

#define INDENT_MAX 32u /* columns; what is deeper stands no further to the right */

enum which {
	WHICH_NAME,
	WHICH_TREE,
	WHICH_PATH,
	WHICH_KIND,
	WHICH_SOURCE,
	WHICH_ID,
	WHICH_DEPTH,
	WHICH_PROCESSES,
	WHICH_REGIONS,
	WHICH_FREED,
};

static const char *text_of(const struct name_row *row, unsigned int which)
{
	switch (which) {
	case WHICH_NAME:
		return row->sum->name;
	case WHICH_TREE:
		return row->text;
	case WHICH_PATH:
		return row->path;
	case WHICH_KIND:
		return row->kind_known ? memoir_kind_name(row->sum->kind) : NULL;
	default:
		return row->source_known ? memoir_name_source_name(row->sum->source) : NULL;
	}
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)ctx;
	cell_text(ret_cell, text_of(row, column->which));
}

static void get_number(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct name_row *r = row;
	const struct memoir_name_sum *sum = r->sum;
	bool known = column->which == WHICH_ID      ? !r->is_group
		     : column->which == WHICH_FREED ? sum->freed_known
						    : true;

	(void)ctx;
	cell_number(ret_cell, known ? column->type : CELL_NULL,
		    column->which == WHICH_ID          ? sum->id
		    : column->which == WHICH_DEPTH     ? r->depth
		    : column->which == WHICH_PROCESSES ? sum->processes
		    : column->which == WHICH_FREED     ? sum->freed_bytes
						       : sum->regions);
}

static void get_figure(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	(void)ctx;
	figure_cell(&((const struct name_row *)row)->sum->figures, column->which, ret_cell);
}

static void get_linked(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct name_row *r = row;

	(void)ctx;
	cell_number(ret_cell, r->linked_known ? column->type : CELL_NULL, r->linked);
}

static const struct column columns[] = {
	{ "name", "NAME", CELL_TEXT, 0, WHICH_NAME, get_text,
	  "the name, the path of the file, or the kind in brackets; in a group what that lacks" },
	{ "id", "ID", CELL_ID, 0, WHICH_ID, get_number, "XXH3-64 of the name" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text, "what the regions are" },
	{ "name_source", "SOURCE", CELL_TEXT, 0, WHICH_SOURCE, get_text,
	  "where the name comes from" },
	{ "processes", "PROCESSES", CELL_COUNT, 0, WHICH_PROCESSES, get_number,
	  "how many processes have such regions" },
	{ "regions", "REGIONS", CELL_COUNT, COLUMN_SUMMED, WHICH_REGIONS, get_number,
	  "how many such regions there are" },
	FIGURE_COLUMNS(get_figure),
	{ "freed_bytes", "FREED", CELL_BYTES, COLUMN_SUMMED, WHICH_FREED, get_number,
	  "RAM that comes back if all of it is unmapped: nobody else maps or holds it" },
	{ "path", "PATH", CELL_TEXT, 0, WHICH_PATH, get_text,
	  "with --tree: the name with those of the groups that it is in" },
	{ "depth", "DEPTH", CELL_COUNT, 0, WHICH_DEPTH, get_number,
	  "with --tree: in how many groups it is" },
	{ "linked", "LINKED", CELL_BOOL, COLUMN_FOR_EYES, 0, get_linked,
	  "with --registry: whether there is a link of its id" },
	{ "tree", "NAME", CELL_TEXT, COLUMN_FOR_EYES, WHICH_TREE, get_text,
	  "the name, indented by its depth" },
};

static const void *parent_of(const void *row)
{
	return ((const struct name_row *)row)->parent;
}

const struct table_model name_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "processes,regions," FIGURES_SHOWN ",freed_bytes,kind,tree",
	.sort = "pss_bytes",
	.parent = parent_of,
};

static int make_room(struct name_rows *rows, size_t count)
{
	rows->rows = calloc(count + 1, sizeof(*rows->rows));
	rows->pointers = rows->rows ? sheet_rows(rows->rows, count, sizeof(*rows->rows)) : NULL;
	rows->texts = calloc(count + 1, sizeof(*rows->texts));
	if (!rows->rows || !rows->pointers || !rows->texts)
		return -ENOMEM;
	rows->count = count;
	return 0;
}

static int take_sums(struct name_rows *rows)
{
	int err = make_room(rows, rows->sums.count);

	for (size_t i = 0; i < rows->count && !err; i++) {
		const struct memoir_name_sum *sum = &rows->sums.rows[i];

		rows->rows[i] = (struct name_row){ .sum = sum,
						   .path = sum->name,
						   .text = sum->name,
						   .kind_known = true,
						   .source_known = true };
	}
	return err;
}

static int take_node(struct name_rows *rows, size_t i)
{
	const struct memoir_name_node *node = &rows->tree.nodes[i];
	unsigned int indent = node->depth < INDENT_MAX / 2 ? node->depth * 2 : INDENT_MAX;

	if (asprintf(&rows->texts[i], "%*s%s", (int)indent, "", node->sum.name) < 0) {
		rows->texts[i] = NULL;
		return -ENOMEM;
	}
	rows->rows[i] = (struct name_row){
		.sum = &node->sum,
		.path = node->path,
		.text = rows->texts[i],
		.parent = node->parent == MEMOIR_NONE ? NULL : &rows->rows[node->parent],
		.depth = node->depth,
		.is_group = !node->is_name,
		.kind_known = node->kind_known,
		.source_known = node->source_known,
	};
	return 0;
}

static int take_tree(struct name_rows *rows)
{
	int err = make_room(rows, rows->tree.count);

	for (size_t i = 0; i < rows->count && !err; i++)
		err = take_node(rows, i);
	return err;
}

int name_rows_make(const struct cli *cli, bool tree, struct name_rows *ret_rows)
{
	struct name_rows rows = { 0 };
	int err = tree ? memoir_names_tree(cli->snapshot, cli->selection, &rows.tree)
		       : memoir_names_sum(cli->snapshot, cli->selection, &rows.sums);

	if (!err)
		err = tree ? take_tree(&rows) : take_sums(&rows);
	if (err) {
		name_rows_free(&rows);
		return err;
	}
	*ret_rows = rows;
	return 0;
}

void name_rows_free(struct name_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->texts[i]);
	free((void *)rows->texts);
	free(rows->rows);
	free((void *)rows->pointers);
	memoir_name_sums_free(&rows->sums);
	memoir_name_tree_free(&rows->tree);
	*rows = (struct name_rows){ 0 };
}
