// SPDX-License-Identifier: MIT
/*
 * Getters of what a row is about.
 */
#include "cli/subject_columns.h"

#include <stdio.h>
#include <string.h>

void subject_of_process(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_process *process = ((const struct memoir_subject *)row)->process;

	(void)ctx;
	if (!process)
		cell_null(ret_cell);
	else if (column->which == SUBJECT_COMM)
		cell_text(ret_cell, process->comm);
	else
		cell_number(ret_cell, column->type,
			    column->which == SUBJECT_PID ? (uint64_t)process->pid
							 : process->start_ticks);
}

void subject_of_region(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_region *region = ((const struct memoir_subject *)row)->region;

	(void)ctx;
	if (!region)
		cell_null(ret_cell);
	else if (column->which == SUBJECT_PERMS)
		cell_text(ret_cell, region->perms);
	else if (column->which == SUBJECT_PATH)
		cell_text(ret_cell, region->path);
	else
		cell_number(ret_cell, column->type,
			    column->which == SUBJECT_START ? region->start : region->end);
}

/* By region a name is one that was given; by name it is what memory is summed by. */
static const char *name_of(const struct memoir_subject *row)
{
	return row->region ? row->region->name : row->name;
}

void subject_text(const void *row, const struct column *column, const void *ctx,
		  struct cell *ret_cell)
{
	const struct memoir_subject *r = row;
	enum memoir_name_source source = r->region ? r->region->name_source : r->source;

	(void)ctx;
	if (column->which == SUBJECT_NAME)
		cell_text(ret_cell, name_of(r));
	else if (column->which == SUBJECT_KIND)
		cell_text(ret_cell, r->name ? memoir_kind_name(r->kind) : NULL);
	else
		cell_text(ret_cell, memoir_name_source_name(source));
}

void subject_count(const void *row, const struct column *column, const void *ctx,
		   struct cell *ret_cell)
{
	const struct memoir_subject *r = row;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    column->which == SUBJECT_PROCESSES ? r->processes : r->regions);
}

int subject_by_name(const char *name)
{
	for (int i = 0; i < MEMOIR_BYS; i++)
		if (strcmp(memoir_by_name((enum memoir_by)i), name) == 0)
			return i;
	return -1;
}

const char *subject_columns(enum memoir_by by, const char *figures, char buf[SUBJECT_COLUMNS_MAX])
{
	static const struct {
		const char *before, *behind;
	} columns[MEMOIR_BYS] = {
		[MEMOIR_BY_REGION] = { "pid,comm,start,end,", ",kind,name,path" },
		[MEMOIR_BY_NAME] = { "processes,regions,", ",kind,name" },
		[MEMOIR_BY_PROCESS] = { "pid,comm,regions,", "" },
	};

	snprintf(buf, SUBJECT_COLUMNS_MAX, "%s%s%s", columns[by].before, figures,
		 columns[by].behind);
	return buf;
}
