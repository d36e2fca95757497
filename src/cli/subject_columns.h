/* SPDX-License-Identifier: MIT */
/*
 * The columns of rows that begin with a struct memoir_subject, the same in every command that has them.
 */
#ifndef MEMOIR_CLI_SUBJECT_COLUMNS_H
#define MEMOIR_CLI_SUBJECT_COLUMNS_H

#include <memoir/subject.h>

#include "present/column.h"

enum subject_which {
	SUBJECT_PID,
	SUBJECT_TICKS,
	SUBJECT_COMM,
	SUBJECT_START,
	SUBJECT_END,
	SUBJECT_PERMS,
	SUBJECT_KIND,
	SUBJECT_NAME,
	SUBJECT_SOURCE,
	SUBJECT_PATH,
	SUBJECT_PROCESSES,
	SUBJECT_REGIONS,
};

void subject_of_process(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell);
void subject_of_region(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell);
void subject_text(const void *row, const struct column *column, const void *ctx,
		  struct cell *ret_cell);
void subject_count(const void *row, const struct column *column, const void *ctx,
		   struct cell *ret_cell);

#define SUBJECT_WHERE                                                                     \
	{ "pid", "PID", CELL_NUMBER, 0, SUBJECT_PID, subject_of_process, "the process" }, \
		{ "comm",                                                                 \
		  "COMM",                                                                 \
		  CELL_TEXT,                                                              \
		  0,                                                                      \
		  SUBJECT_COMM,                                                           \
		  subject_of_process,                                                     \
		  "the name of its command" },                                            \
		{ "start",                                                                \
		  "START",                                                                \
		  CELL_ADDRESS,                                                           \
		  0,                                                                      \
		  SUBJECT_START,                                                          \
		  subject_of_region,                                                      \
		  "the region's first address" },                                         \
	{                                                                                 \
		"end", "END", CELL_ADDRESS, 0, SUBJECT_END, subject_of_region,            \
			"the address behind its last"                                     \
	}

#define SUBJECT_WHAT                                                                         \
	{ "kind", "KIND", CELL_TEXT, 0, SUBJECT_KIND, subject_text, "what it is" },          \
		{ "name",                                                                    \
		  "NAME",                                                                    \
		  CELL_TEXT,                                                                 \
		  0,                                                                         \
		  SUBJECT_NAME,                                                              \
		  subject_text,                                                              \
		  "the name given to it; by name as memoir names has it" },                  \
		{ "name_source",                                                             \
		  "SOURCE",                                                                  \
		  CELL_TEXT,                                                                 \
		  0,                                                                         \
		  SUBJECT_SOURCE,                                                            \
		  subject_text,                                                              \
		  "where the name comes from" },                                             \
		{ "path",                                                                    \
		  "PATH",                                                                    \
		  CELL_TEXT,                                                                 \
		  0,                                                                         \
		  SUBJECT_PATH,                                                              \
		  subject_of_region,                                                         \
		  "as /proc/PID/maps shows it" },                                            \
		{ "perms",                                                                   \
		  "PERM",                                                                    \
		  CELL_TEXT,                                                                 \
		  0,                                                                         \
		  SUBJECT_PERMS,                                                             \
		  subject_of_region,                                                         \
		  "permissions; s is shared" },                                              \
		{ "processes",                                                               \
		  "PROCESSES",                                                               \
		  CELL_COUNT,                                                                \
		  0,                                                                         \
		  SUBJECT_PROCESSES,                                                         \
		  subject_count,                                                             \
		  "how many processes it is of" },                                           \
		{ "regions",                                                                 \
		  "REGIONS",                                                                 \
		  CELL_COUNT,                                                                \
		  COLUMN_SUMMED,                                                             \
		  SUBJECT_REGIONS,                                                           \
		  subject_count,                                                             \
		  "how many regions it is of" },                                             \
	{                                                                                    \
		"start_ticks", "STARTED", CELL_NUMBER, 0, SUBJECT_TICKS, subject_of_process, \
			"when the process started, field 22 of /proc/PID/stat"               \
	}

/* What --by takes; -1: no such way. */
int subject_by_name(const char *name);

/*
 * The columns of a table where none are asked for: those that tell what a row is about, and between them
 * the figures. In buf, which is returned.
 */
#define SUBJECT_COLUMNS_MAX 256
const char *subject_columns(enum memoir_by by, const char *figures, char buf[SUBJECT_COLUMNS_MAX]);

#endif
