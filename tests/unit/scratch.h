/* SPDX-License-Identifier: MIT */
/*
 * A directory that a test fills and that is gone behind it.
 */
#ifndef MEMOIR_TESTS_SCRATCH_H
#define MEMOIR_TESTS_SCRATCH_H

/* Make one, in memory where that may be. 0 or -1. */
int scratch_make(void);
void scratch_remove(void);

/* The path of it, and of what lies in it; the last four results are good. */
const char *scratch_path(void);
char *in_scratch(const char *name);

#endif
