/* SPDX-License-Identifier: MIT */
/*
 * Names that name tables give to the regions in an answer about a page of the running machine, which is
 * found without looking at tables.
 */
#ifndef MEMOIR_CLI_WHO_NAMES_H
#define MEMOIR_CLI_WHO_NAMES_H

#include <memoir/who.h>

#include "cli/cli.h"

/* All zero has no names. */
struct who_names {
	struct memoir_snapshot *snapshot;
	bool too_many; /* they were not looked for */
};

/* In an answer of more rows whose memory may have a name by a table these are not looked for: it would take long. */
#define WHO_NAMES_MAX 8u

/*
 * Capture the processes of these rows; none if there are none. What can't be captured has no names.
 */
void who_names_find(const struct cli *cli, const struct memoir_who *who, struct who_names *names);
void who_names_free(struct who_names *names);

/* The name where the row's page is, and where it comes from; NULL: none. */
const char *who_name_of(const struct who_names *names, const struct memoir_who_row *row,
			enum memoir_name_source *ret_source);

#endif
