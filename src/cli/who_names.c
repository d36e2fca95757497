// SPDX-License-Identifier: MIT
/*
 * Looks up names in a small capture; asks nothing about pages.
 */
#include "cli/who_names.h"

#include <string.h>

/* Only private anonymous memory is named by tables. */
static bool may_have_name(const struct memoir_who_row *row)
{
	return !row->name && row->perms[3] == 'p' &&
	       (!row->path || strcmp(row->path, "[heap]") == 0 ||
		strcmp(row->path, "[stack]") == 0);
}

static bool is_asked_for(const struct memoir_process *process, void *arg)
{
	const struct memoir_who *who = arg;

	for (size_t i = 0; i < who->row_count; i++)
		if (who->rows[i].pid == process->pid)
			return may_have_name(&who->rows[i]);
	return false;
}

void who_names_find(const struct cli *cli, const struct memoir_who *who, struct who_names *names)
{
	struct memoir_options options = { .sz = sizeof(options), .engine = cli->engine };
	struct memoir_capture_options capture = {
		.sz = sizeof(capture),
		.wants = is_asked_for,
		.wants_arg = (void *)who,
		.without_sets = true,
		.without_holders = true,
		.without_kinds = true,
	};
	struct memoir_error error;
	struct memoir *memoir;
	size_t count = 0;

	for (size_t i = 0; i < who->row_count; i++)
		count += may_have_name(&who->rows[i]);
	names->too_many = count > WHO_NAMES_MAX;
	if (!count || names->too_many || cli->root || memoir_open(&options, &memoir, &error) < 0)
		return;
	if (memoir_capture(memoir, &capture, &names->snapshot, &error) < 0)
		names->snapshot = NULL;
	memoir_close(memoir);
}

void who_names_free(struct who_names *names)
{
	memoir_snapshot_free(names->snapshot);
	names->snapshot = NULL;
}

static const struct memoir_region *region_of(const struct memoir_snapshot *snapshot,
					     const struct memoir_who_row *row)
{
	const struct memoir_process *process = memoir_snapshot_find_pid(snapshot, row->pid);
	uint64_t at = row->address ? row->address : row->start;

	if (!process || process->start_ticks != row->start_ticks)
		return NULL;
	for (uint32_t i = 0; i < process->region_count; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(snapshot, (size_t)process->first_region + i);

		if (region && region->start <= at && at < region->end)
			return region;
	}
	return NULL;
}

const char *who_name_of(const struct who_names *names, const struct memoir_who_row *row,
			enum memoir_name_source *ret_source)
{
	const struct memoir_region *region = NULL;

	*ret_source = row->name ? row->name_source : MEMOIR_NAME_NONE;
	if (row->name || !names || !names->snapshot || !may_have_name(row))
		return row->name;
	region = region_of(names->snapshot, row);
	if (!region || !region->name)
		return NULL;
	*ret_source = region->name_source;
	return region->name;
}
