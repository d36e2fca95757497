/* SPDX-License-Identifier: MIT */
/*
 * memoir trim --shared: the table of cgroups.
 */
#ifndef MEMOIR_CLI_TRIM_SHARED_H
#define MEMOIR_CLI_TRIM_SHARED_H

#include <memoir/hint.h>

#include "cli/cli.h"

struct trim_shared {
	struct memoir_reclaimed *reclaimed; /* NULL: not asked for */
	const void **pointers;
	struct sheet sheet;
	char title[64];
};

/* Reclaim, or only look. An exit code; says what is wrong. */
int trim_reclaim(const struct cli *cli, struct memoir *memoir,
		 const struct memoir_reclaim_options *options, struct trim_shared *shared);

/* Notes about what was left as it is: how many, and the i-th. */
size_t trim_shared_note_count(const struct trim_shared *shared);
const char *trim_shared_note(const struct trim_shared *shared, size_t i);

/* Whether some of them were left as they are, or failed. */
bool trim_shared_partial(const struct trim_shared *shared);

/* The table; false: there is none. */
bool trim_shared_section(const struct trim_shared *shared, struct report_section *ret_section);

void trim_shared_free(struct trim_shared *shared);

#endif
