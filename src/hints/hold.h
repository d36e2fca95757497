/* SPDX-License-Identifier: MIT */
/*
 * Holding a target still while it gets hints, with all that share its address space.
 */
#ifndef MEMOIR_HINTS_HOLD_H
#define MEMOIR_HINTS_HOLD_H

#include <memoir/hint.h>

#include "hints/target.h"

struct hold;

/* Choose how, and start what it takes; nothing is held yet. `plan` says who may be held as well. */
int hold_new(struct hold **ret_hold, const struct target *target, const struct memoir_plan *plan,
	     struct memoir_error *error);
/* Let go, if it is held. */
void hold_free(struct hold *hold);

/*
 * Hold it still, in about a millisecond. Another way is tried where the chosen one fails. 0; -ESRCH: it has
 * ended; -ETIMEDOUT: it does not stand still; -EPERM …: with a sentence.
 */
int hold_begin(struct hold *hold, struct memoir_error *error);
void hold_end(struct hold *hold);

enum memoir_hold hold_way(const struct hold *hold);
/* Whether somebody has ended the guard process: since then memoir itself let go, or held by ptrace. */
bool hold_guard_ended(const struct hold *hold);

#endif
