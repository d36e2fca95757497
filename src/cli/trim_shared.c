// SPDX-License-Identifier: MIT
/*
 * What memoir trim --shared prints of cgroups.
 */
#include "cli/trim_shared.h"

#include <stdio.h>
#include <stdlib.h>

enum which {
	WHICH_PROCESSES,
	WHICH_WHOLE,
	WHICH_BEFORE,
	WHICH_AFTER,
	WHICH_SWAP,
	WHICH_SWAP_AFTER
};

static void get_number(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_reclaimed_cgroup *c = row;
	uint64_t number = column->which == WHICH_BEFORE  ? c->before_bytes
			  : column->which == WHICH_AFTER ? c->after_bytes
			  : column->which == WHICH_SWAP  ? c->swap_before_bytes
							 : c->swap_after_bytes;
	bool of_swap = column->which == WHICH_SWAP || column->which == WHICH_SWAP_AFTER;

	(void)ctx;
	if (column->which == WHICH_PROCESSES)
		cell_number(ret_cell, column->type, c->processes);
	else if (column->which == WHICH_WHOLE)
		cell_number(ret_cell, column->type, c->whole);
	else if (of_swap ? c->swap_known : c->usage_known)
		cell_number(ret_cell, column->type, number);
	else
		cell_null(ret_cell);
}

static void get_path(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell, ((const struct memoir_reclaimed_cgroup *)row)->path);
}

static const struct column columns[] = {
	{ "cgroup", "CGROUP", CELL_TEXT, 0, 0, get_path, "its path" },
	{ "processes", "PROCESSES", CELL_COUNT, 0, WHICH_PROCESSES, get_number, "selected ones" },
	{ "whole", "WHOLE", CELL_BOOL, 0, WHICH_WHOLE, get_number,
	  "all of its processes are selected" },
	{ "before_bytes", "BEFORE", CELL_BYTES, COLUMN_SUMMED, WHICH_BEFORE, get_number,
	  "its memory.current" },
	{ "after_bytes", "AFTER", CELL_BYTES, COLUMN_SUMMED, WHICH_AFTER, get_number, "the same" },
	{ "swap_before_bytes", "SWAP-BEFORE", CELL_BYTES, COLUMN_SUMMED, WHICH_SWAP, get_number,
	  "its memory.swap.current" },
	{ "swap_after_bytes", "SWAP-AFTER", CELL_BYTES, COLUMN_SUMMED, WHICH_SWAP_AFTER, get_number,
	  "the same" },
};

static const struct table_model model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "before,after,swap_after,whole,cgroup",
};

int trim_reclaim(const struct cli *cli, struct memoir *memoir,
		 const struct memoir_reclaim_options *options, struct trim_shared *shared)
{
	struct shape shape = { .for_eyes = cli->shape.for_eyes, .head = SHEET_ALL };
	struct memoir_error error = { 0 };

	if (memoir_reclaim(memoir, cli->snapshot, cli->selection, options, &shared->reclaimed,
			   &error) < 0) {
		complain("%s", error.text);
		return EXIT_FAILED;
	}
	size_t count = shared->reclaimed->cgroup_count;

	shared->pointers = calloc(count + 1, sizeof(*shared->pointers));
	if (!shared->pointers)
		return cli_no_memory();
	for (size_t i = 0; i < count; i++)
		shared->pointers[i] = &shared->reclaimed->cgroups[i];
	snprintf(shared->title, sizeof(shared->title), "Cgroups, %zu", count);
	if (sheet_make(&model, &shape, shared->pointers, count, NULL, &shared->sheet, &error) < 0)
		return cli_no_memory();
	return EXIT_DONE;
}

/* The kinds of notes, each once, then the errors. */
static const char not_whole[] =
	"only cgroups all of whose processes are selected, without cgroups below them, can be "
	"reclaimed; the root, and those with whole = false, were left as they are";

static bool any_not_whole(const struct trim_shared *shared)
{
	for (size_t i = 0; i < shared->reclaimed->cgroup_count; i++)
		if (!shared->reclaimed->cgroups[i].whole)
			return true;
	return false;
}

bool trim_shared_partial(const struct trim_shared *shared)
{
	return shared->reclaimed && (shared->reclaimed->failed || any_not_whole(shared));
}

const char *trim_shared_note(const struct trim_shared *shared, size_t i)
{
	if (!shared->reclaimed)
		return NULL;
	if (any_not_whole(shared) && i-- == 0)
		return not_whole;
	for (size_t c = 0; c < shared->reclaimed->cgroup_count; c++)
		if (shared->reclaimed->cgroups[c].error.code && i-- == 0)
			return shared->reclaimed->cgroups[c].error.text;
	return NULL;
}

size_t trim_shared_note_count(const struct trim_shared *shared)
{
	size_t count = 0;

	while (trim_shared_note(shared, count))
		count++;
	return count;
}

bool trim_shared_section(const struct trim_shared *shared, struct report_section *ret_section)
{
	if (!shared->reclaimed)
		return false;
	*ret_section = (struct report_section){ "cgroups", shared->title, &shared->sheet };
	return true;
}

void trim_shared_free(struct trim_shared *shared)
{
	sheet_free(&shared->sheet);
	free(shared->pointers);
	memoir_reclaimed_free(shared->reclaimed);
}
