// SPDX-License-Identifier: MIT
/*
 * memoir check: which kernel interfaces are there, and what is done without them.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

#include "kernel/features.h"
#include "kernel/root.h"

enum which {
	WHICH_FEATURE,
	WHICH_USED_FOR,
	WHICH_OTHERWISE,
	WHICH_DETAIL,
	WHICH_ERROR,
};

static void get_available(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	const struct kfeature *feature = row;

	(void)ctx;
	if (feature->available == -ENODATA)
		cell_null(ret_cell);
	else
		cell_number(ret_cell, column->type, feature->available > 0);
}

static const char *text_of(const struct kfeature *feature, unsigned int which)
{
	switch (which) {
	case WHICH_FEATURE:
		return feature->feature;
	case WHICH_USED_FOR:
		return feature->used_for;
	case WHICH_OTHERWISE:
		return feature->otherwise;
	case WHICH_DETAIL:
		return feature->detail;
	default:
		return feature->available < 0 ? strerrorname_np(-feature->available) : NULL;
	}
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)ctx;
	cell_text(ret_cell, text_of(row, column->which));
}

static const struct column columns[] = {
	{ "feature", "FEATURE", CELL_TEXT, 0, WHICH_FEATURE, get_text, "the kernel interface" },
	{ "available", "AVAILABLE", CELL_BOOL, 0, 0, get_available,
	  "whether it works here; - where that can't be told" },
	{ "used_for", "USED FOR", CELL_TEXT, 0, WHICH_USED_FOR, get_text,
	  "what memoir does with it" },
	{ "otherwise", "OTHERWISE", CELL_TEXT, 0, WHICH_OTHERWISE, get_text,
	  "what memoir does without it" },
	{ "detail", "DETAIL", CELL_TEXT, 0, WHICH_DETAIL, get_text, "what was found" },
	{ "error", "ERROR", CELL_TEXT, 0, WHICH_ERROR, get_text, "what the kernel answered" },
};

static const struct table_model model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "feature,available,used_for,otherwise",
};

static int print_features(const struct cli *cli, const struct kfeature *features, size_t count)
{
	struct report report = { .schema = "memoir.check/1" };
	const void **rows = sheet_rows(features, count, sizeof(*features));

	if (!rows)
		return cli_no_memory();
	int code = cli_print_rows(cli, &report, rows, count, NULL);

	free(rows);
	return code;
}

static int run(struct cli *cli)
{
	struct kfeature *features = NULL;
	struct kroot *root = NULL;
	size_t count = 0;
	int code = EXIT_FAILED;
	int ret = kroot_open(cli->root, &root);

	if (ret < 0) {
		complain("%s cannot be opened: %s", cli->root ? cli->root : "/", strerror(-ret));
		return EXIT_FAILED;
	}
	ret = kfeatures_probe(root, &features, &count);
	if (ret < 0)
		complain("the kernel's features could not be looked at: %s", strerror(-ret));
	else
		code = print_features(cli, features, count);
	kfeatures_free(features, count);
	kroot_close(root);
	return code;
}

const struct command check_command = {
	.name = "check",
	.summary = "which kernel interfaces work here",
	.doc = "Print each kernel interface that memoir uses, whether it works here, what it is "
	       "used "
	       "for, and what is done without it.",
	.model = &model,
	.run = run,
};
