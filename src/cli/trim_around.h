/* SPDX-License-Identifier: MIT */
/*
 * What memoir trim does before and after it gives hints, if it is asked to: find what is idle, and watch what
 * comes back.
 */
#ifndef MEMOIR_CLI_TRIM_AROUND_H
#define MEMOIR_CLI_TRIM_AROUND_H

#include <memoir/refault.h>

#include "cli/idle_watch.h"

struct trim_around {
	struct memoir_idle *idle; /* NULL: not asked for */
	struct idle_spans spans;
	struct memoir_refaults *refaults; /* NULL: not asked for */
	struct memoir_refault_rows back;
	const void **pointers;
	struct sheet sheet;
	char title[64];
};

/* Wait, and find what was idle; cli's snapshot is a new one then. An exit code; says what is wrong. */
int trim_before(struct cli *cli, struct memoir *memoir, enum memoir_idle_means means,
		uint64_t idle_ns, struct trim_around *around);

/* Watch what comes back of all that is swapped out of the selection. An exit code. */
int trim_after(struct cli *cli, struct memoir *memoir, uint64_t watch_ns,
	       struct trim_around *around);

/* Fields at the top level of JSON; how many. */
#define TRIM_AROUND_FIELDS 6
size_t trim_around_fields(const struct trim_around *around, struct json_field *fields);

/* Notes about what was watched: how many, and the i-th. */
size_t trim_around_note_count(const struct trim_around *around);
const char *trim_around_note(const struct trim_around *around, size_t i);
/* Whether part of it could not be watched. */
bool trim_around_partial(const struct trim_around *around);

/* The table of what came back; false: there is none. */
bool trim_around_section(const struct trim_around *around, struct report_section *ret_section);

/* A part of a sentence about idle memory: "of 12MiB 3MiB were idle for 60.0 s; ". Returns its length. */
size_t trim_around_summary(const struct cli *cli, const struct trim_around *around, char *buf,
			   size_t room);

void trim_around_free(struct trim_around *around);

#endif
