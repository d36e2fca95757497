/* SPDX-License-Identifier: MIT */
/*
 * The inside of a comparison: what each side of it is made of.
 */
#ifndef MEMOIR_ANALYSIS_DIFF_H
#define MEMOIR_ANALYSIS_DIFF_H

#include <memoir/diff.h>

/* A row to be, in one snapshot. */
struct diff_item {
	const char *name;
	enum memoir_name_source source;
	enum memoir_kind kind;
	bool asked_for; /* it has to do with a process in scope: worth a row */
	struct memoir_diff_side side;
};

struct diff_items {
	struct diff_item *items; /* to be freed by free() */
	size_t count;
};

/* All of a snapshot, one way, also what is out of scope. 0 or -ENOMEM. */
int diff_gather(const struct memoir_snapshot *snapshot, enum memoir_diff_by by,
		struct diff_items *ret_items);

/* Whether a process that is in both snapshots called exec in between; false: nothing tells. */
bool diff_exec(const struct memoir_snapshot *before, const struct memoir_process *process_before,
	       const struct memoir_snapshot *after, const struct memoir_process *process_after,
	       bool *ret_exec);

/* What can be compared: every figure, and beyond them what only processes or only objects have. */
enum diff_amount {
	DIFF_PAGE_TABLES = MEMOIR_FIGURES,
	DIFF_RESIDENT,
	DIFF_SWAPPED,
	DIFF_AMOUNTS,
};

/* False: not known, or not there. */
bool diff_amount_of(const struct memoir_diff_side *side, unsigned int amount, uint64_t *ret_bytes);
struct memoir_delta diff_delta_of(const struct memoir_diff_row *row, unsigned int amount);

#endif
