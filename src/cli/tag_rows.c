// SPDX-License-Identifier: MIT
/*
 * The columns of memoir tag; works nothing out.
 */
#include "cli/tag_rows.h"

enum which {
	WHICH_ID,
	WHICH_KIND,
	WHICH_FORMER,
	WHICH_TAG,
	WHICH_KEPT_IN,
};

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct tag_row *r = row;

	(void)ctx;
	switch (column->which) {
	case WHICH_ID:
		cell_text(ret_cell, r->id);
		break;
	case WHICH_KIND:
		cell_text(ret_cell, r->object ? memoir_kind_name(r->object->kind) : NULL);
		break;
	case WHICH_FORMER:
		cell_text(ret_cell, r->former);
		break;
	case WHICH_TAG:
		cell_text(ret_cell, r->tag);
		break;
	default:
		cell_text(ret_cell, r->kept_in);
	}
}

static void get_present(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct tag_row *r = row;

	(void)ctx;
	if (r->unsure)
		cell_null(ret_cell);
	else
		cell_number(ret_cell, column->type, r->object != NULL);
}

static const struct column columns[] = {
	{ "object", "OBJECT", CELL_TEXT, 0, WHICH_ID, get_text, "the id of the buffer" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text, "what it is" },
	{ "former_tag", "WAS", CELL_TEXT, 0, WHICH_FORMER, get_text, "what it was called before" },
	{ "tag", "TAG", CELL_TEXT, 0, WHICH_TAG, get_text, "what it is called now" },
	{ "present", "PRESENT", CELL_BOOL, 0, 0, get_present,
	  "whether this very buffer is there, and not a later one with its numbers" },
	{ "kept_in", "KEPT IN", CELL_TEXT, 0, WHICH_KEPT_IN, get_text,
	  "the kernel, or the directory of the tag" },
};

const struct table_model given_tag_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = TAG_COLUMNS_GIVEN,
};
