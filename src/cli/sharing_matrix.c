// SPDX-License-Identifier: MIT
/*
 * The matrix of who shares how much with whom: a table model made for the processes at hand.
 */
#include "cli/sharing_matrix.h"

#include <stdio.h>

static size_t index_of(const void *row, const struct matrix *matrix)
{
	return (size_t)((const struct memoir_process *const *)row - matrix->processes);
}

static void get_pid(const void *row, const struct column *column, const void *ctx,
		    struct cell *ret_cell)
{
	const struct memoir_process *const *process = row;

	(void)ctx;
	cell_number(ret_cell, column->type, (uint64_t)(*process)->pid);
}

static void get_comm(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_process *const *process = row;

	(void)column, (void)ctx;
	cell_text(ret_cell, (*process)->comm);
}

static void get_crossing(const void *row, const struct column *column, const void *ctx,
			 struct cell *ret_cell)
{
	const struct matrix *matrix = ctx;
	size_t a = index_of(row, matrix), b = column->which;

	if (a == b)
		cell_text(ret_cell, "");
	else
		cell_number(ret_cell, column->type, matrix->shared_bytes[a][b]);
}

/* The place of a process among those asked for, or how many these are. */
static size_t find(const struct matrix *matrix, const struct memoir_process *process)
{
	size_t i = 0;

	while (i < matrix->count && matrix->processes[i] != process)
		i++;
	return i;
}

static void take_pairs(struct matrix *matrix, const struct memoir_sharing *sharing)
{
	for (size_t i = 0; i < sharing->pair_count; i++) {
		size_t a = find(matrix, sharing->pairs[i].a);
		size_t b = find(matrix, sharing->pairs[i].b);

		if (a == matrix->count || b == matrix->count)
			continue;
		matrix->shared_bytes[a][b] = matrix->shared_bytes[b][a] =
			sharing->pairs[i].shared.shared_bytes;
	}
}

static void make_columns(struct matrix *matrix)
{
	size_t count = matrix->count, used = 0;

	matrix->columns[0] = (struct column){ "pid", "PID", CELL_NUMBER, 0, 0, get_pid, "" };
	used = (size_t)snprintf(matrix->shown, sizeof(matrix->shown), "pid,");
	for (size_t i = 0; i < count; i++) {
		char *head = matrix->heads[i];

		snprintf(head, sizeof(matrix->heads[i]), "%d", (int)matrix->processes[i]->pid);
		matrix->columns[i + 1] =
			(struct column){ head,         head, CELL_BYTES, 0, (unsigned int)i,
					 get_crossing, "" };
		used += (size_t)snprintf(matrix->shown + used, sizeof(matrix->shown) - used, "%s,",
					 head);
	}
	matrix->columns[count + 1] =
		(struct column){ "comm", "COMMAND", CELL_TEXT, 0, 0, get_comm, "" };
	snprintf(matrix->shown + used, sizeof(matrix->shown) - used, "comm");
	matrix->model = (struct table_model){
		.columns = matrix->columns,
		.column_count = count + 2,
		.shown = matrix->shown,
	};
}

void matrix_make(struct matrix *matrix, const struct memoir_sharing *sharing)
{
	*matrix = (struct matrix){
		.count = sharing->process_count < MATRIX_MAX ? sharing->process_count : MATRIX_MAX,
		.processes = sharing->processes,
	};
	for (size_t i = 0; i < matrix->count; i++)
		matrix->rows[i] = &sharing->processes[i];
	take_pairs(matrix, sharing);
	make_columns(matrix);
}
