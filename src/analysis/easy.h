/* SPDX-License-Identifier: MIT */
/*
 * What of the RAM in use is easy to get back, by what a snapshot has of the machine.
 */
#ifndef MEMOIR_ANALYSIS_EASY_H
#define MEMOIR_ANALYSIS_EASY_H

#include <memoir/analysis.h>

#define EASY_LINES_MAX 12
#define EASY_PROCESSES 3 /* those with the most that comes back */

struct easy_line {
	const char *what; /* static */
	const char *how;  /* static: what gives it back */
	uint64_t bytes;
	const struct memoir_process *process; /* NULL where it is no process's */
};

struct easy {
	struct easy_line lines[EASY_LINES_MAX];
	size_t count;
};

/*
 * Only what is known and not nothing. footprints: memoir_footprints() of the snapshot, or NULL to
 * leave processes out.
 */
void easy_make(const struct memoir_snapshot *snapshot, const struct memoir_footprint *footprints,
	       struct easy *ret_easy);

#endif
