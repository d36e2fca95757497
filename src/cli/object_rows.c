// SPDX-License-Identifier: MIT
/*
 * Objects as rows: files, shared memory and anonymous families, and who maps them.
 */
#include "cli/object_rows.h"

#include <errno.h>
#include <stdlib.h>

enum which {
	WHICH_ID,
	WHICH_KIND,
	WHICH_PATH,
	WHICH_TAG,
	WHICH_COMM,
	WHICH_PROCESSES,
	WHICH_REGIONS,
	WHICH_PSS,
	WHICH_RESIDENT,
};

static void get_id(const void *row, const struct column *column, const void *ctx,
		   struct cell *ret_cell)
{
	const struct memoir_object *object = ((const struct object_sum *)row)->object;

	_Static_assert(sizeof(ret_cell->scratch) >= MEMOIR_OBJECT_ID_MAX, "ids need room");
	(void)column, (void)ctx;
	cell_scratch(ret_cell, strlen(memoir_object_id(object, ret_cell->scratch)));
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct object_sum *sum = row;

	(void)ctx;
	cell_text(ret_cell, column->which == WHICH_KIND   ? memoir_kind_name(sum->object->kind)
			    : column->which == WHICH_COMM ? sum->process->comm
			    : column->which == WHICH_TAG  ? sum->object->tag
							  : sum->object->path);
}

static void get_number(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct object_sum *sum = row;

	(void)ctx;
	switch (column->which) {
	case WHICH_PROCESSES:
		cell_number(ret_cell, column->type, sum->processes);
		break;
	case WHICH_REGIONS:
		cell_number(ret_cell, column->type, sum->regions);
		break;
	case WHICH_PSS:
		cell_number(ret_cell, column->type, sum->pss_bytes);
		break;
	default:
		cell_number(ret_cell, column->type, sum->object->resident_bytes);
	}
	if ((column->which == WHICH_PSS && !sum->pss_known) ||
	    (column->which == WHICH_RESIDENT && !sum->object->resident_known))
		cell_null(ret_cell);
}

static const struct column columns[] = {
	{ "object", "OBJECT", CELL_TEXT, 0, WHICH_ID, get_id,
	  "the file, shared memory or anonymous family" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text, "what its mappings are" },
	{ "processes", "PROCESSES", CELL_COUNT, 0, WHICH_PROCESSES, get_number,
	  "how many processes map it" },
	{ "regions", "REGIONS", CELL_COUNT, 0, WHICH_REGIONS, get_number,
	  "how many regions map it" },
	{ "pss_bytes", "PSS", CELL_BYTES, COLUMN_SUMMED, WHICH_PSS, get_number,
	  "its pages that are mapped" },
	{ "resident_bytes", "RESIDENT", CELL_BYTES, COLUMN_SUMMED, WHICH_RESIDENT, get_number,
	  "all its pages in RAM, mapped or not" },
	{ "comm", "FIRST", CELL_TEXT, 0, WHICH_COMM, get_text, "the first process that maps it" },
	{ "path", "PATH", CELL_TEXT, 0, WHICH_PATH, get_text, "its path, if it has one" },
	{ "tag", "TAG", CELL_TEXT, 0, WHICH_TAG, get_text, "what it is called as a shared buffer" },
};

const struct table_model object_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "processes,regions,pss_bytes,resident_bytes,comm,object,path",
	.sort = "pss_bytes",
};

const char *object_text(const struct memoir_object *object)
{
	return object->tag && object->path && !strstr(object->path, object->tag) ? object->tag
										 : object->path;
}

int object_rows_make(const struct cli *cli, struct object_rows *ret_rows)
{
	struct object_rows rows = { 0 };
	int ret = object_sums_make(cli->snapshot, &rows.sums);

	if (ret < 0)
		return ret;
	rows.pointers = calloc(rows.sums.count + 1, sizeof(*rows.pointers));
	if (!rows.pointers) {
		object_rows_free(&rows);
		return -ENOMEM;
	}
	for (size_t i = 0; i < rows.sums.count; i++)
		rows.pointers[i] = &rows.sums.rows[i];
	*ret_rows = rows;
	return 0;
}

void object_rows_free(struct object_rows *rows)
{
	object_sums_free(&rows->sums);
	free(rows->pointers);
	*rows = (struct object_rows){ 0 };
}
