// SPDX-License-Identifier: MIT
/*
 * Which processes and regions a selection means; looks at no figures.
 */
#include "analysis/meant.h"

#include <stdlib.h>

bool meant_pid(const struct memoir_selection *selection, const struct memoir_process *process,
	       pid_t pid)
{
	struct memoir_process alone = *process;

	alone.pid = pid;
	alone.peers = NULL;
	alone.peer_count = 0;
	return memoir_selection_matches_process(selection, &alone);
}

static bool all_pids_meant(const struct memoir_selection *selection,
			   const struct memoir_process *process)
{
	if (!meant_pid(selection, process, process->pid))
		return false;
	for (uint32_t i = 0; i < process->peer_count; i++)
		if (!meant_pid(selection, process, process->peers[i]))
			return false;
	return true;
}

static bool any_region_meant(const struct memoir_snapshot *s,
			     const struct memoir_selection *selection,
			     const struct memoir_process *process)
{
	for (uint32_t i = 0; i < process->region_count; i++)
		if (selection_matches_region_part(selection, s,
						  &snapshot_regions(s)[process->first_region + i]))
			return true;
	return false;
}

uint8_t *meant_processes(const struct memoir_snapshot *snapshot,
			 const struct memoir_selection *selection)
{
	bool by_region = memoir_selection_has_region_keys(selection);
	uint8_t *meant = calloc(snapshot->process_count + 1, sizeof(*meant));

	for (size_t i = 0; meant && i < snapshot->process_count; i++) {
		const struct memoir_process *process = &snapshot->processes[i];

		if (!process->in_scope || !memoir_selection_matches_process(selection, process) ||
		    (by_region && !any_region_meant(snapshot, selection, process)))
			continue;
		meant[i] = process->peer_count == 0 || all_pids_meant(selection, process)
				   ? MEANT_WHOLE
				   : MEANT_IN_PART;
	}
	return meant;
}

uint8_t *meant_regions(const struct memoir_snapshot *snapshot,
		       const struct memoir_selection *selection)
{
	uint8_t *meant = calloc(snapshot->region_count + 1, sizeof(*meant));

	for (size_t i = 0; meant && i < snapshot->process_count; i++) {
		const struct memoir_process *process = &snapshot->processes[i];

		if (!process->in_scope || !memoir_selection_matches_process(selection, process))
			continue;
		for (uint32_t r = process->first_region;
		     r < process->first_region + process->region_count; r++)
			if (selection_matches_region_part(selection, snapshot,
							  &snapshot_regions(snapshot)[r]))
				meant[r] = MEANT_WHOLE;
	}
	return meant;
}
