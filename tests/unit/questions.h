/* SPDX-License-Identifier: MIT */
/*
 * Asking what-if questions of small families, for tests.
 */
#ifndef MEMOIR_TESTS_QUESTIONS_H
#define MEMOIR_TESTS_QUESTIONS_H

#include <string.h>

#include <memoir/analysis.h>

#include "family.h"

static inline struct memoir_whatif ask(const struct memoir_snapshot *s,
				       enum memoir_whatif_action action, const char *selector)
{
	struct memoir_selection *selection = NULL;
	struct memoir_whatif whatif;

	assert_int_equal(memoir_selection_parse(&selector, 1, &selection, NULL), 0);
	assert_int_equal(memoir_whatif(s, action, selection, &whatif), 0);
	memoir_selection_free(selection);
	return whatif;
}

static inline struct memoir_whatif kill_of(const struct memoir_snapshot *s, const char *selector)
{
	return ask(s, MEMOIR_WHATIF_KILL, selector);
}

static inline const struct memoir_whatif_row *find_row(const struct memoir_whatif *whatif,
						       enum memoir_whatif_by by, const char *name)
{
	for (size_t i = 0; i < whatif->row_count; i++) {
		const struct memoir_whatif_row *row = &whatif->rows[i];

		if (row->by == by && (!name || (row->name && strcmp(row->name, name) == 0)))
			return row;
	}
	fail_msg("there is no row by %s of %s", memoir_whatif_by_name(by), name ? name : "any");
	return NULL;
}

static inline bool has_note(const struct memoir_whatif *whatif, const char *words)
{
	for (size_t i = 0; i < whatif->note_count; i++)
		if (strstr(whatif->notes[i], words))
			return true;
	return false;
}

static inline void finish(struct memoir_snapshot *s, struct memoir_whatif *whatif)
{
	memoir_whatif_free(whatif);
	memoir_snapshot_free(s);
}

#endif
