// SPDX-License-Identifier: MIT
/*
 * Who maps a page, asked of memoir by address and by frame, against the page's mapper list. Rows of
 * processes outside of the world are theirs to judge.
 */
#include "compare.h"

#include <inttypes.h>
#include <stdio.h>

#include <memoir/who.h>

static uint64_t address_of(const struct look *look, const struct truth_mapping *mapping)
{
	return look->truth->regions[mapping->region].start +
	       (uint64_t)mapping->page * TRUTH_PAGE_BYTES;
}

static bool is_mapper(const struct look *look, const struct truth_page *page,
		      const struct memoir_who_row *row)
{
	uint32_t space = world_space_of(look->world, row->pid);

	for (uint32_t k = 0; k < page->count; k++) {
		const struct truth_mapping *mapping = &look->truth->mappings[page->first + k];
		const struct truth_region *region = &look->truth->regions[mapping->region];

		if (region->space == space && region->start == row->start &&
		    region->end == row->end && address_of(look, mapping) == row->address)
			return true;
	}
	return false;
}

/* Rows of regions that only might map it are not mappers. */
static size_t judge_rows(const struct look *look, const struct truth_page *page,
			 const struct memoir_who *who)
{
	size_t bad = 0;
	uint32_t found = 0;

	for (size_t i = 0; i < who->row_count; i++) {
		const struct memoir_who_row *row = &who->rows[i];

		if (row->how == MEMOIR_HOW_CACHE ||
		    world_space_of(look->world, row->pid) == UINT32_MAX)
			continue;
		if (is_mapper(look, page, row))
			found++;
		else
			differ(&bad, "%d:%" PRIx64 " (%s) does not map it\n", row->pid,
			       row->address, memoir_how_name((enum memoir_how)row->how));
	}
	if (found != page->count)
		differ(&bad, "%u of %u mappers were found\n", found, page->count);
	return bad;
}

static bool is_own(const struct look *look, const struct truth_page *page)
{
	uint32_t region = look->truth->mappings[page->first].region;

	return look->truth->regions[region].is_own || truth_kind_of(page->key) == TRUTH_ANON;
}

static size_t judge_page(const struct look *look, const struct truth_page *page,
			 const struct memoir_page *said)
{
	bool swapped = truth_kind_of(page->key) == TRUTH_SWAP;
	uint8_t state = swapped            ? MEMOIR_PAGE_SWAPPED
			: page->count == 1 ? MEMOIR_PAGE_EXCLUSIVE
					   : MEMOIR_PAGE_SHARED;
	size_t bad = 0;

	if (swapped != !said->frame_known || (!swapped && said->frame != truth_frame_of(page->key)))
		differ(&bad, "it is said to be in frame %" PRIx64 "\n", said->frame);
	/* How many map it outside of the world nobody here knows. */
	if (!is_own(look, page))
		return bad;
	if (said->state != state)
		differ(&bad, "its state is said to be %s\n",
		       memoir_page_state_name((enum memoir_page_state)said->state));
	if (!swapped && (!said->mappings_known || said->mappings != page->count))
		differ(&bad, "%" PRIu64 " mappings are said, there are %u\n", said->mappings,
		       page->count);
	return bad;
}

static size_t ask(const struct look *look, const struct truth_page *page,
		  const struct memoir_target *target)
{
	struct memoir_error error = { 0 };
	struct memoir_who *who = NULL;
	size_t bad = 0;

	if (memoir_who(look->memoir, target, &who, &error))
		differ(&bad, "who: %s\n", error.text);
	else
		bad = judge_rows(look, page, who) + judge_page(look, page, &who->page);
	memoir_who_free(who);
	return bad;
}

static size_t ask_about(const struct look *look, const struct truth_page *page, uint32_t mapper,
			bool by_frame)
{
	const struct truth_mapping *mapping = &look->truth->mappings[page->first + mapper];
	const struct truth_region *region = &look->truth->regions[mapping->region];
	const struct memoir_target target = {
		.kind = by_frame ? MEMOIR_TARGET_FRAME : MEMOIR_TARGET_PAGE,
		.pid = look->world->spaces[region->space].pid,
		.address = address_of(look, mapping),
		.frame = truth_frame_of(page->key),
	};
	size_t bad = ask(look, page, &target);

	if (bad)
		printf("# so it is of %d:%" PRIx64 ", frame or swap entry %" PRIx64
		       ", asked by %s\n",
		       target.pid, target.address, target.frame, by_frame ? "frame" : "address");
	if (!bad || truth_stands(look->truth, look->world, page))
		return bad;
	printf("# that page was moved meanwhile, so it is left out\n");
	return 0;
}

size_t compare_who(const struct look *look)
{
	size_t count = look->truth->page_count, bad = 0;
	size_t asked = look->who_pages < count ? look->who_pages : count;
	uint64_t random = look->world->seed;

	for (size_t i = 0; i < asked && bad < 8; i++) {
		size_t at = asked == count ? i : look_draw(&random) % count;
		const struct truth_page *page = &look->truth->pages[at];
		uint32_t mapper = (uint32_t)(look_draw(&random) % page->count);
		bool by_frame =
			look_draw(&random) % 4 == 0 && truth_kind_of(page->key) != TRUTH_SWAP;

		bad += ask_about(look, page, mapper, by_frame);
	}
	return bad;
}
