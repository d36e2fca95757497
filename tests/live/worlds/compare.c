// SPDX-License-Identifier: MIT
/*
 * Lines up a snapshot's regions with a world's, and holds the world's pages against kpagecount.
 */
#include "compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PRINTED_MAX 8

void differ(size_t *count, const char *format, ...)
{
	va_list args;

	if ((*count)++ >= PRINTED_MAX)
		return;
	va_start(args, format);
	fputs("# ", stdout);
	vprintf(format, args);
	va_end(args);
}

uint64_t look_draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	return z ^ z >> 31;
}

void print_region(const struct look *look, uint32_t region)
{
	const struct truth_region *r = &look->truth->regions[region];

	printf("#   %d:%" PRIx64 "-%" PRIx64 "\n", look->world->spaces[r->space].pid, r->start,
	       r->end);
}

/* ---- regions -------------------------------------------------------------------------------- */

static uint32_t find_region(const struct truth *truth, uint32_t space,
			    const struct memoir_region *region)
{
	for (size_t i = 0; i < truth->region_count; i++)
		if (truth->regions[i].space == space && truth->regions[i].start == region->start &&
		    truth->regions[i].end == region->end)
			return (uint32_t)i;
	return TRUTH_NONE;
}

static size_t line_up(struct look *look, const struct memoir_process *process, uint32_t space)
{
	size_t found = 0;

	for (uint32_t i = 0; i < process->region_count; i++) {
		uint32_t at = process->first_region + i;

		look->own_region[at] =
			find_region(look->truth, space, memoir_snapshot_region(look->snapshot, at));
		found += look->own_region[at] != TRUTH_NONE;
	}
	return found;
}

size_t look_init(struct look *look)
{
	size_t count = memoir_snapshot_region_count(look->snapshot), bad = 0, found = 0;

	look->own_region = malloc(count * sizeof(*look->own_region) + 1);
	if (!look->own_region)
		return 1;
	for (size_t i = 0; i < count; i++)
		look->own_region[i] = TRUTH_NONE;
	for (uint32_t i = 0; i < look->world->space_count; i++) {
		pid_t pid = look->world->spaces[i].pid;
		const struct memoir_process *process =
			memoir_snapshot_find_pid(look->snapshot, pid);
		size_t lined_up = process ? line_up(look, process, i) : 0;

		if (!process)
			differ(&bad, "pid %d is not in the snapshot\n", pid);
		else if (lined_up != process->region_count)
			differ(&bad, "pid %d: %zu of %u regions are true ones\n", pid, lined_up,
			       process->region_count);
		found += lined_up;
	}
	if (found != look->truth->region_count)
		differ(&bad, "%zu regions were found, there are %zu\n", found,
		       look->truth->region_count);
	return bad;
}

void look_free(struct look *look)
{
	free(look->own_region);
	look->own_region = NULL;
}

/* ---- kpagecount ----------------------------------------------------------------------------- */

size_t compare_counts(const struct look *look)
{
	const struct truth *truth = look->truth;
	size_t bad = 0;

	for (size_t i = 0; i < truth->page_count; i++) {
		const struct truth_page *page = &truth->pages[i];
		uint32_t region = truth->mappings[page->first].region;
		bool own = truth->regions[region].is_own || truth_kind_of(page->key) == TRUTH_ANON;

		if (truth_kind_of(page->key) == TRUTH_SWAP || page->kernel_count == page->count ||
		    (!own && page->kernel_count > page->count))
			continue;
		differ(&bad, "frame %" PRIx64 ": kpagecount %" PRIu64 ", %u mappings found\n",
		       truth_frame_of(page->key), page->kernel_count, page->count);
		if (bad <= 2)
			print_region(look, region);
	}
	return bad;
}
