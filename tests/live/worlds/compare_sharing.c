// SPDX-License-Identifier: MIT
/*
 * Who shares how much with whom, of every two processes of a world, against the pages that both map.
 */
#include "compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <memoir/analysis.h>

/* Two spaces, the lower one first: bytes that both map, each page counted once. */
struct pair {
	uint64_t ram_bytes, anon_bytes, swap_bytes;
};

static struct pair *pair_of(struct pair *pairs, uint32_t a, uint32_t b)
{
	return &pairs[a < b ? a * SPACES_MAX + b : b * SPACES_MAX + a];
}

static void add_page(struct pair *pairs, enum truth_kind kind, uint64_t mappers)
{
	for (uint32_t a = 0; a < SPACES_MAX; a++)
		for (uint32_t b = a + 1; b < SPACES_MAX && mappers >> a & 1; b++) {
			struct pair *pair = pair_of(pairs, a, b);

			if (!(mappers >> b & 1))
				continue;
			pair->swap_bytes += kind == TRUTH_SWAP ? TRUTH_PAGE_BYTES : 0;
			pair->ram_bytes += kind != TRUTH_SWAP ? TRUTH_PAGE_BYTES : 0;
			pair->anon_bytes += kind == TRUTH_ANON ? TRUTH_PAGE_BYTES : 0;
		}
}

static void list_truth(const struct look *look, struct pair *pairs)
{
	for (size_t i = 0; i < look->truth->page_count; i++) {
		const struct truth_page *page = &look->truth->pages[i];

		if (page->count > 1)
			add_page(pairs, truth_kind_of(page->key), truth_mappers(look->truth, page));
	}
}

/* Takes a pair off what is true, so that what is left are those that memoir did not tell. */
static void take_off(const struct look *look, size_t *bad, struct pair *pairs,
		     const struct memoir_sharing_pair *said)
{
	uint32_t a = world_space_of(look->world, said->a->pid);
	uint32_t b = world_space_of(look->world, said->b->pid);
	struct pair *is;

	if (a == UINT32_MAX || b == UINT32_MAX || a == b)
		return;
	is = pair_of(pairs, a, b);
	if (is->ram_bytes != said->shared.shared_bytes ||
	    is->anon_bytes != said->shared.shared_anon_bytes ||
	    is->swap_bytes != said->shared.shared_swap_bytes)
		differ(bad,
		       "%d and %d share %" PRIu64 " bytes, %" PRIu64 " anonymous, %" PRIu64
		       " swapped; memoir: %" PRIu64 ", %" PRIu64 ", %" PRIu64 "\n",
		       said->a->pid, said->b->pid, is->ram_bytes, is->anon_bytes, is->swap_bytes,
		       said->shared.shared_bytes, said->shared.shared_anon_bytes,
		       said->shared.shared_swap_bytes);
	*is = (struct pair){ 0 };
}

static void tell_missed(const struct look *look, size_t *bad, const struct pair *pairs)
{
	for (uint32_t a = 0; a < look->world->space_count; a++)
		for (uint32_t b = a + 1; b < look->world->space_count; b++)
			if (pairs[a * SPACES_MAX + b].ram_bytes ||
			    pairs[a * SPACES_MAX + b].swap_bytes)
				differ(bad, "%d and %d share, and memoir does not say so\n",
				       look->world->spaces[a].pid, look->world->spaces[b].pid);
}

size_t compare_sharing(const struct look *look)
{
	struct pair *pairs = calloc((size_t)SPACES_MAX * SPACES_MAX, sizeof(*pairs));
	struct memoir_sharing sharing = { 0 };
	size_t bad = 0;

	if (!pairs || memoir_sharing(look->snapshot, NULL, &sharing) || !sharing.known) {
		differ(&bad, "no answer to who shares with whom\n");
	} else {
		list_truth(look, pairs);
		for (size_t i = 0; i < sharing.pair_count; i++)
			take_off(look, &bad, pairs, &sharing.pairs[i]);
		tell_missed(look, &bad, pairs);
	}
	memoir_sharing_free(&sharing);
	free(pairs);
	return bad;
}
