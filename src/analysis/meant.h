/* SPDX-License-Identifier: MIT */
/*
 * Which processes and regions a selection means, for questions about whole processes.
 */
#ifndef MEMOIR_ANALYSIS_MEANT_H
#define MEMOIR_ANALYSIS_MEANT_H

#include "analysis/select.h"
#include "snapshot/model.h"

enum meant {
	MEANT_NOT,
	MEANT_IN_PART, /* an address space of which not all processes are meant, so that it stays */
	MEANT_WHOLE,
};

/*
 * For each process whether it is meant (enum meant): it is in scope, matches, and if the selection
 * speaks of regions, has one that matches. To be freed by free(); NULL: no memory.
 */
uint8_t *meant_processes(const struct memoir_snapshot *snapshot,
			 const struct memoir_selection *selection);

/* For each region whether it matches: MEANT_NOT or MEANT_WHOLE. */
uint8_t *meant_regions(const struct memoir_snapshot *snapshot,
		       const struct memoir_selection *selection);

/* Whether the selection means this one of the processes that share an address space. */
bool meant_pid(const struct memoir_selection *selection, const struct memoir_process *process,
	       pid_t pid);

#endif
