// SPDX-License-Identifier: MIT
/*
 * What memoir says would come back from random subsets of a world, against brute force over pages.
 */
#include "compare.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <memoir/analysis.h>

#include "lumps.h"

#define SUBSETS 8
#define SELECTOR_MAX (SPACES_MAX * 2 * 12 + 8)

/* Thin ones, thick ones, single ones, and all. */
static uint64_t draw_subset(const struct look *look, uint32_t number, uint64_t *random)
{
	uint32_t n = look->world->space_count;
	uint64_t all = n == 64 ? ~0ull : (1ull << n) - 1, some = look_draw(random) & all;

	switch (number) {
	case 0:
		return all;
	case 1:
		return 1ull << look_draw(random) % n;
	case 2:
		return all & ~(1ull << look_draw(random) % n);
	case 3:
		return some & look_draw(random);
	default:
		return some;
	}
}

/*
 * As a selector. Of every third space that has a peer only one of the two is named: then the memory
 * stays. Returns the spaces that really end.
 */
static uint64_t select_pids(const struct look *look, uint64_t subset, uint64_t *random,
			    char selector[SELECTOR_MAX])
{
	size_t at = (size_t)snprintf(selector, SELECTOR_MAX, "pid:0");
	uint64_t dying = subset;

	for (uint32_t i = 0; i < look->world->space_count; i++) {
		const struct space *space = &look->world->spaces[i];
		uint64_t half = space->peer ? look_draw(random) % 6 : 5;

		if (!(subset >> i & 1))
			continue;
		if (half != 0)
			at += (size_t)snprintf(selector + at, SELECTOR_MAX - at, ",%d", space->pid);
		if (half != 1 && space->peer)
			at += (size_t)snprintf(selector + at, SELECTOR_MAX - at, ",%d",
					       space->peer);
		if (half <= 1)
			dying &= ~(1ull << i);
	}
	return dying;
}

/* What memoir says; false where it says nothing. */
static bool ask(const struct look *look, const char *selector, struct memoir_whatif *whatif)
{
	struct memoir_selection *selection = NULL;
	struct memoir_error error = { 0 };
	int err = memoir_selection_parse(&selector, 1, &selection, &error);

	if (!err)
		err = memoir_whatif(look->snapshot, MEMOIR_WHATIF_KILL, selection, whatif);
	memoir_selection_free(selection);
	return !err;
}

static void judge(const struct look *look, size_t *bad, const struct lumps *lumps, uint64_t dying,
		  const char *selector)
{
	struct memoir_whatif whatif = { 0 };
	uint64_t ram, swap;

	lumps_freed(lumps, dying, &ram, &swap);
	if (!ask(look, selector, &whatif) || !whatif.known)
		differ(bad, "no answer for %s\n", selector);
	else if (whatif.bytes.freed_bytes != ram || whatif.bytes.freed_swap_bytes != swap)
		differ(bad,
		       "memoir: %" PRIu64 " bytes, swap %" PRIu64 "; brute force: %" PRIu64
		       ", swap %" PRIu64 "; kill of %s\n",
		       whatif.bytes.freed_bytes, whatif.bytes.freed_swap_bytes, ram, swap,
		       selector);
	memoir_whatif_free(&whatif);
}

/* Of each process alone, as ps has it. Peers are one process. */
static void judge_footprints(const struct look *look, size_t *bad, const struct lumps *lumps)
{
	struct memoir_footprint *said = NULL;
	uint64_t ram, swap;

	if (memoir_footprints(look->snapshot, &said)) {
		differ(bad, "no footprints\n");
		return;
	}
	for (size_t i = 0; i < memoir_snapshot_process_count(look->snapshot); i++) {
		pid_t pid = memoir_snapshot_process(look->snapshot, i)->pid;
		uint32_t space = world_space_of(look->world, pid);

		if (space == UINT32_MAX)
			continue;
		lumps_freed(lumps, 1ull << space, &ram, &swap);
		if (!said[i].freed_if_killed_known || said[i].freed_if_killed_bytes != ram)
			differ(bad, "pid %d alone: memoir: %" PRIu64 "; brute force: %" PRIu64 "\n",
			       pid, said[i].freed_if_killed_bytes, ram);
	}
	free(said);
}

size_t compare_whatif(const struct look *look)
{
	uint64_t random = look->world->seed;
	char selector[SELECTOR_MAX];
	struct lumps lumps = { 0 };
	size_t bad = 0;

	lumps_list(&lumps, look->truth);
	judge_footprints(look, &bad, &lumps);
	for (uint32_t i = 0; i < SUBSETS; i++) {
		uint64_t subset = draw_subset(look, i, &random);
		uint64_t dying = select_pids(look, subset, &random, selector);

		judge(look, &bad, &lumps, dying, selector);
	}
	lumps_free(&lumps);
	return bad;
}
