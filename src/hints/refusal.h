/* SPDX-License-Identifier: MIT */
/*
 * What the kernel said no to, as a sentence that says what would help.
 */
#ifndef MEMOIR_HINTS_REFUSAL_H
#define MEMOIR_HINTS_REFUSAL_H

#include <memoir/hint.h>

/* About opening a target, and about process_madvise(2) on a range of it. Return err. */
int refusal_of_open(struct memoir_error *error, pid_t pid, int err);
int refusal_of_hint(struct memoir_error *error, pid_t pid, enum memoir_hint hint, uint64_t start,
		    uint64_t end, int err);

#endif
