/* SPDX-License-Identifier: MIT */
/*
 * Rows that more than one command prints: processes and names.
 */
#ifndef MEMOIR_CLI_ROWS_H
#define MEMOIR_CLI_ROWS_H

#include <memoir/buffers.h>

#include "cli/cli.h"
#include "cli/users.h"

extern const struct table_model process_model;

struct process_row {
	const struct memoir_process *process;
	const char *user;
	/* Of the process, or of those of its regions that the selection means. */
	struct memoir_figures figures;
	bool whole;                                   /* all of its regions are meant */
	const struct memoir_footprint *footprint;     /* NULL unless whole */
	const struct memoir_process_buffers *buffers; /* NULL unless whole, and asked for */
};

struct process_rows {
	struct process_row *rows;
	const void **pointers; /* to the rows, for sheets */
	size_t count;
	struct memoir_footprint *footprints;    /* of all processes of the snapshot */
	struct memoir_process_buffers *buffers; /* the same; NULL: not asked for */
	struct users users;
};

/* The processes that cli's selection means. 0 or -ENOMEM. */
int process_rows_make(const struct cli *cli, struct process_rows *ret_rows);
void process_rows_free(struct process_rows *rows);

/* A name, or with --tree also a group of names. */
struct name_row {
	const struct memoir_name_sum *sum;
	const char *path; /* all of the name, or what all names of a group begin with */
	const char *text; /* for eyes: indented */
	const struct name_row *parent; /* the group that it is in, or NULL */
	uint32_t depth;
	bool is_group;
	bool kind_known, source_known;
	bool linked_known, linked; /* in the registry */
};

/* Rows are struct name_row. */
extern const struct table_model name_model;

struct name_rows {
	struct memoir_name_sums sums; /* one of the two */
	struct memoir_name_tree tree;
	struct name_row *rows;
	const void **pointers;
	char **texts; /* that rows own */
	size_t count;
};

int name_rows_make(const struct cli *cli, bool tree, struct name_rows *ret_rows);
void name_rows_free(struct name_rows *rows);

#endif
