// SPDX-License-Identifier: MIT
/*
 * Makes regions of the parts that names split regions into; reads and counts nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "snapshot/model.h"

void region_splits_free(struct region_splits *splits)
{
	free(splits->splits);
	free(splits->parts);
	free(splits->rows);
	*splits = (struct region_splits){ 0 };
}

/* Resident pages that nobody else maps, and nothing else. */
static void set_own(struct memoir_region *region, uint64_t bytes)
{
	struct memoir_figures *figures = &region->figures;

	figures->bytes[MEMOIR_RSS] = bytes;
	figures->bytes[MEMOIR_PSS] = bytes;
	figures->bytes[MEMOIR_USS] = bytes;
	figures->bytes[MEMOIR_ANON] = bytes;
	region->own_anon_bytes = bytes;
}

static bool is_guard(const struct memoir_region *region)
{
	return region_may_be_guard(region) && !region->figures.bytes[MEMOIR_RSS] &&
	       !region->figures.bytes[MEMOIR_SWAP];
}

struct memoir_region region_split_part(const struct region_splits *splits,
				       const struct region_split *split, uint32_t i,
				       const struct memoir_region *whole)
{
	const struct region_part *part = &splits->parts[split->first + i];
	struct memoir_region row = *whole;

	row.start = part->start;
	row.end = i + 1 < split->count ? part[1].start : whole->end;
	row.name = part->name;
	row.name_source = row.name ? split->source : MEMOIR_NAME_NONE;
	return row;
}

/* The rows of one region, which may itself stand where one of them goes. */
static void put_parts(const struct region_splits *splits, const struct region_split *split,
		      const struct memoir_region *region, struct memoir_region *rows)
{
	const struct memoir_region whole = *region;

	for (uint32_t i = 0; i < split->count; i++) {
		if (split->first_row != MEMOIR_NONE) {
			rows[i] = splits->rows[split->first_row + i];
		} else {
			rows[i] = region_split_part(splits, split, i, &whole);
			set_own(&rows[i], splits->parts[split->first + i].own_bytes);
		}
		if (is_guard(&rows[i]))
			rows[i].kind = MEMOIR_KIND_GUARD;
	}
}

/* From the last to the first, so that nothing is written over that is still to be moved. */
void snapshot_make_rows(struct memoir_snapshot *s)
{
	const struct region_splits *splits = &s->splits;
	struct memoir_region *regions = s->regions;
	size_t from = splits->regions, to = s->region_count;

	for (size_t i = splits->count; i-- > 0;) {
		const struct region_split *split = &splits->splits[i];
		size_t behind = from - split->region - 1;

		to -= behind;
		memmove(&regions[to], &regions[split->region + 1], behind * sizeof(*regions));
		to -= split->count;
		put_parts(splits, split, &regions[split->region], &regions[to]);
		from = split->region;
	}
	region_splits_free(&s->splits);
}
