// SPDX-License-Identifier: MIT
/*
 * Pairs of processes that share memory, and forks, as rows; works nothing out.
 */
#include "cli/sharing_rows.h"

#include <stdio.h>

/* ---- pairs ---------------------------------------------------------------------------------- */

enum which {
	WHICH_A,
	WHICH_B,
	WHICH_SHARED,
	WHICH_ANON,
	WHICH_SWAP,
};

static const struct memoir_process *side_of(const void *row, unsigned int which)
{
	const struct memoir_sharing_pair *pair = row;

	return which == WHICH_A ? pair->a : pair->b;
}

static void get_pid(const void *row, const struct column *column, const void *ctx,
		    struct cell *ret_cell)
{
	(void)ctx;
	cell_number(ret_cell, column->type, (uint64_t)side_of(row, column->which)->pid);
}

static void get_comm(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)ctx;
	cell_text(ret_cell, side_of(row, column->which)->comm);
}

static uint64_t shared_bytes(const struct memoir_shared *shared, unsigned int which)
{
	return which == WHICH_SHARED ? shared->shared_bytes
	       : which == WHICH_ANON ? shared->shared_anon_bytes
				     : shared->shared_swap_bytes;
}

static void get_shared(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_sharing_pair *pair = row;

	(void)ctx;
	cell_number(ret_cell, column->type, shared_bytes(&pair->shared, column->which));
}

#define SHARED_HELP "RAM that both map"
#define ANON_HELP "the anonymous part of it: common since a fork, or merged"
#define SWAP_HELP "anonymous memory of both that is swapped out"

static const struct column pair_columns[] = {
	{ "a", "A", CELL_NUMBER, 0, WHICH_A, get_pid, "process id of one" },
	{ "b", "B", CELL_NUMBER, 0, WHICH_B, get_pid, "process id of the other" },
	{ "shared_bytes", "SHARED", CELL_BYTES, 0, WHICH_SHARED, get_shared, SHARED_HELP },
	{ "shared_anon_bytes", "ANON", CELL_BYTES, 0, WHICH_ANON, get_shared, ANON_HELP },
	{ "shared_swap_bytes", "SWAP", CELL_BYTES, 0, WHICH_SWAP, get_shared, SWAP_HELP },
	{ "a_comm", "A-COMMAND", CELL_TEXT, 0, WHICH_A, get_comm, "name of the one's command" },
	{ "b_comm", "B-COMMAND", CELL_TEXT, 0, WHICH_B, get_comm, "name of the other's command" },
};

const struct table_model pair_model = {
	.columns = pair_columns,
	.column_count = sizeof(pair_columns) / sizeof(pair_columns[0]),
	.shown = "a,b,shared_bytes,shared_anon_bytes,shared_swap_bytes,a_comm,b_comm",
};

/* ---- forks ---------------------------------------------------------------------------------- */

static void get_fork_pid(const void *row, const struct column *column, const void *ctx,
			 struct cell *ret_cell)
{
	const struct memoir_process *process = ((const struct memoir_fork *)row)->process;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    (uint64_t)(column->which ? process->ppid : process->pid));
}

static void get_depth(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	(void)ctx;
	cell_number(ret_cell, column->type, ((const struct memoir_fork *)row)->depth);
}

static void get_fork_comm(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell, ((const struct memoir_fork *)row)->process->comm);
}

/* Indented by its depth; deeper ones stand no further to the right. */
static void get_branch(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_fork *fork = row;
	int indent = fork->depth < 16 ? (int)fork->depth * 2 : 32;
	int len = snprintf(ret_cell->scratch, sizeof(ret_cell->scratch), "%*s%s", indent, "",
			   fork->process->comm);

	(void)column, (void)ctx;
	cell_scratch(ret_cell, len < (int)sizeof(ret_cell->scratch)
				       ? (size_t)len
				       : sizeof(ret_cell->scratch) - 1);
}

/* Nothing can be said of a parent that is not in the snapshot, or could not be read. */
static void get_with_parent(const void *row, const struct column *column, const void *ctx,
			    struct cell *ret_cell)
{
	const struct memoir_fork *fork = row;

	(void)ctx;
	if (fork->parent && fork->parent->readable && fork->process->readable)
		cell_number(ret_cell, column->type, shared_bytes(&fork->shared, column->which));
	else
		cell_null(ret_cell);
}

static void get_own(const void *row, const struct column *column, const void *ctx,
		    struct cell *ret_cell)
{
	const struct memoir_fork *fork = row;

	(void)ctx;
	if (fork->process->readable)
		cell_number(ret_cell, column->type,
			    column->which == WHICH_SWAP ? fork->own_swap_bytes : fork->own_bytes);
	else
		cell_null(ret_cell);
}

static const struct column fork_columns[] = {
	{ "pid", "PID", CELL_NUMBER, 0, 0, get_fork_pid, "process id" },
	{ "ppid", "PPID", CELL_NUMBER, 0, 1, get_fork_pid, "process id of the parent" },
	{ "depth", "DEPTH", CELL_COUNT, 0, 0, get_depth, "ancestors in this list" },
	{ "comm", "COMMAND", CELL_TEXT, 0, 0, get_fork_comm, "name of the command" },
	{ "shared_bytes", "SHARED", CELL_BYTES, 0, WHICH_SHARED, get_with_parent,
	  "RAM that its parent maps too" },
	{ "shared_anon_bytes", "ANON", CELL_BYTES, 0, WHICH_ANON, get_with_parent,
	  "the anonymous part of it: still in common" },
	{ "shared_swap_bytes", "SWAP", CELL_BYTES, 0, WHICH_SWAP, get_with_parent,
	  "still in common, and swapped out" },
	{ "own_bytes", "OWN", CELL_BYTES, 0, WHICH_ANON, get_own,
	  "anonymous memory that its parent does not have: copied or new since" },
	{ "own_swap_bytes", "OWN-SWAP", CELL_BYTES, 0, WHICH_SWAP, get_own,
	  "the same, swapped out" },
	{ "branch", "COMMAND", CELL_TEXT, COLUMN_FOR_EYES, 0, get_branch,
	  "the command, below its parent's" },
};

const struct table_model fork_model = {
	.columns = fork_columns,
	.column_count = sizeof(fork_columns) / sizeof(fork_columns[0]),
	.shown = "pid,shared_bytes,shared_anon_bytes,shared_swap_bytes,own_bytes,own_swap_bytes,"
		 "branch",
};
