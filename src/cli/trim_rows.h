/* SPDX-License-Identifier: MIT */
/*
 * The columns of memoir trim: processes, and their ranges.
 */
#ifndef MEMOIR_CLI_TRIM_ROWS_H
#define MEMOIR_CLI_TRIM_ROWS_H

#include <memoir/hint.h>

#include "present/sheet.h"

/* A reason, as it stands in the cell of a process. */
struct trim_skip {
	enum memoir_skip why;
	uint64_t bytes;
	bool known;
};

struct trim_row {
	const struct memoir_plan_process *planned;
	const struct memoir_applied_process *applied; /* NULL: only planned */
	struct memoir_moved moved;
	struct trim_skip skipped[MEMOIR_SKIPS];
	size_t skip_count;
	char note[192]; /* of its guard process; empty: there is nothing to say */
};

struct trim_range_row {
	const struct memoir_plan *plan;
	const struct memoir_plan_range *range;
	struct memoir_residence before, after; /* not known where only planned */
};

extern const struct table_model trim_model;
extern const struct table_model trim_range_model;

/* The columns for people: of a plan, or of what was done. */
const char *trim_columns(enum memoir_hint hint, bool applied);

/* Fill in the reasons of a row, planned and found. */
void trim_row_skips(struct trim_row *row);
bool trim_row_skips_for(const struct trim_row *row, enum memoir_skip why);
/* And what happened to its guard process. */
void trim_row_note(struct trim_row *row);

#endif
