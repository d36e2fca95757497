// SPDX-License-Identifier: MIT
/*
 * Sums of figures, and figures by name over all processes; a pure function of the snapshot.
 */
#include <memoir/analysis.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "analysis/label.h"
#include "analysis/name_freed.h"
#include "analysis/select.h"
#include "base/grow.h"

void memoir_figures_add(struct memoir_figures *sum, const struct memoir_figures *addend)
{
	figures_add(sum, addend);
}

uint64_t memoir_name_id(const char *name)
{
	return XXH3_64bits(name, strlen(name));
}

/* A sum being made. */
struct entry {
	struct memoir_name_sum sum;
	uint32_t last_process; /* the process counted last */
};

struct gather {
	struct labels labels;
	struct entry *entries; /* one for each label */
	uint32_t *of_region;   /* which entry; MEMOIR_NONE: it is not meant */
	size_t count, room;
};

static struct entry *add_entry(struct gather *gather)
{
	const struct label_entry *label = &gather->labels.entries[gather->count];
	struct entry *entries =
		grow(gather->entries, &gather->room, gather->count + 1, sizeof(*entries));

	if (!entries)
		return NULL;
	gather->entries = entries;
	entries[gather->count] = (struct entry){
		.sum = { .name = label->label.name,
			 .id = label->id,
			 .kind = label->label.kind,
			 .source = label->label.source },
		.last_process = MEMOIR_NONE,
	};
	return &entries[gather->count++];
}

static struct entry *entry_of(struct gather *gather, const struct label *label)
{
	uint32_t at = labels_index(&gather->labels, label);

	if (at == U64MAP_NONE)
		return NULL;
	return at < gather->count ? &gather->entries[at] : add_entry(gather);
}

static int gather_region(struct gather *gather, const struct memoir_snapshot *snapshot,
			 const struct memoir_region *region)
{
	struct label label = label_of(snapshot, region);
	struct entry *entry = entry_of(gather, &label);

	if (!entry)
		return -ENOMEM;
	gather->of_region[region - snapshot_regions(snapshot)] =
		(uint32_t)(entry - gather->entries);
	entry->sum.regions++;
	/* Regions of one process stand together. */
	if (entry->last_process != region->process)
		entry->sum.processes++;
	entry->last_process = region->process;
	memoir_figures_add(&entry->sum.figures, &region->figures);
	return 0;
}

static int gather_process(struct gather *gather, const struct memoir_snapshot *snapshot,
			  const struct memoir_selection *selection,
			  const struct memoir_process *process)
{
	if (!process->in_scope || !memoir_selection_matches_process(selection, process))
		return 0;
	for (uint32_t i = 0; i < process->region_count; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(snapshot, (size_t)process->first_region + i);

		if (!region || !selection_matches_region_part(selection, snapshot, region))
			continue;
		int ret = gather_region(gather, snapshot, region);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* By descending pss, unknown ones last; then name and kind, so that the order is always the same. */
static int compare_sums(const void *left, const void *right)
{
	const struct memoir_name_sum *a = left, *b = right;
	bool a_known = a->figures.known & (1u << MEMOIR_PSS);
	bool b_known = b->figures.known & (1u << MEMOIR_PSS);

	if (a_known != b_known)
		return a_known ? -1 : 1;
	if (a_known && a->figures.bytes[MEMOIR_PSS] != b->figures.bytes[MEMOIR_PSS])
		return a->figures.bytes[MEMOIR_PSS] > b->figures.bytes[MEMOIR_PSS] ? -1 : 1;
	int order = strcmp(a->name, b->name);

	return order ? order : (int)a->kind - (int)b->kind;
}

static int add_freed(struct gather *gather, const struct memoir_snapshot *snapshot)
{
	uint64_t *freed = calloc(gather->count + 1, sizeof(*freed));
	bool *known = calloc(gather->count + 1, sizeof(*known));
	struct name_freed nodes = { gather->of_region, NULL, gather->count, freed, known };
	int err = freed && known ? name_freed(snapshot, &nodes) : -ENOMEM;

	for (size_t i = 0; i < gather->count && !err; i++) {
		gather->entries[i].sum.freed_bytes = freed[i];
		gather->entries[i].sum.freed_known = known[i];
	}
	free(freed);
	free(known);
	return err;
}

static int hand_out(const struct gather *gather, struct memoir_name_sums *ret_sums)
{
	struct memoir_name_sum *rows = calloc(gather->count + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < gather->count; i++)
		rows[i] = gather->entries[i].sum;
	qsort(rows, gather->count, sizeof(*rows), compare_sums);
	*ret_sums = (struct memoir_name_sums){ .count = gather->count, .rows = rows };
	return 0;
}

int memoir_names_sum(const struct memoir_snapshot *snapshot,
		     const struct memoir_selection *selection, struct memoir_name_sums *ret_sums)
{
	struct gather gather = { 0 };
	size_t processes = memoir_snapshot_process_count(snapshot);
	size_t regions = memoir_snapshot_region_count(snapshot);
	int ret = 0;

	gather.of_region = malloc((regions + 1) * sizeof(*gather.of_region));
	if (!gather.of_region)
		return -ENOMEM;
	for (size_t i = 0; i < regions; i++)
		gather.of_region[i] = MEMOIR_NONE;
	for (size_t i = 0; i < processes && ret == 0; i++)
		ret = gather_process(&gather, snapshot, selection,
				     memoir_snapshot_process(snapshot, i));
	if (ret == 0)
		ret = add_freed(&gather, snapshot);
	if (ret == 0)
		ret = hand_out(&gather, ret_sums);
	labels_free(&gather.labels);
	free(gather.of_region);
	free(gather.entries);
	return ret;
}

void memoir_name_sums_free(struct memoir_name_sums *sums)
{
	if (!sums)
		return;
	free(sums->rows);
	*sums = (struct memoir_name_sums){ 0 };
}
