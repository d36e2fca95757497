/* SPDX-License-Identifier: MIT */
/*
 * Objects as rows of a table.
 */
#ifndef MEMOIR_CLI_OBJECT_ROWS_H
#define MEMOIR_CLI_OBJECT_ROWS_H

#include "analysis/object_sums.h"
#include "cli/cli.h"

/* Rows are struct object_sum. */
extern const struct table_model object_model;

struct object_rows {
	struct object_sums sums;
	const void **pointers; /* to the rows, for sheets */
};

/* All objects of the snapshot. 0 or -ENOMEM. */
int object_rows_make(const struct cli *cli, struct object_rows *ret_rows);
void object_rows_free(struct object_rows *rows);

/* Its path, or in the place of one a tag that it does not say already; NULL: it has no path. */
const char *object_text(const struct memoir_object *object);

#endif
