/* SPDX-License-Identifier: MIT */
/*
 * The tree of forks: which process is below which.
 */
#ifndef MEMOIR_ANALYSIS_FORKS_H
#define MEMOIR_ANALYSIS_FORKS_H

#include "snapshot/model.h"

/*
 * Visit the processes that are wanted (NULL: all), each below its parent if that is wanted as well.
 * `parent` is MEMOIR_NONE if it is not in the snapshot. Those of a circle of parents, which only a
 * foreign file can have, are left out. O(processes). 0; -ENOMEM.
 */
int forks_visit(const struct memoir_snapshot *snapshot, const uint8_t *wanted,
		void (*visit)(uint32_t process, uint32_t parent, uint32_t depth, void *arg),
		void *arg);

/* Where each process stands in that order. To be freed by free(); NULL: no memory. */
uint32_t *forks_rank(const struct memoir_snapshot *snapshot);

#endif
