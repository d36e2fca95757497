// SPDX-License-Identifier: MIT
/*
 * Sums of processes, captured without regions, against those of a snapshot that has all regions.
 */
#include "compare.h"

#include <inttypes.h>

/* What others map of the same files changes shares of these while the world stands still. */
#define SHARES (1u << MEMOIR_PSS | 1u << MEMOIR_USS | 1u << MEMOIR_SHARED)
#define TOLERANCE (64u << 10)

static bool is_near(uint64_t a, uint64_t b, uint64_t tolerance)
{
	return a < b ? b - a <= tolerance : a - b <= tolerance;
}

static void judge(size_t *bad, const struct memoir_process *whole, const struct memoir_process *sum)
{
	if (whole->figures.known != sum->figures.known)
		differ(bad, "pid %d: known %x, of regions %x\n", whole->pid, sum->figures.known,
		       whole->figures.known);
	for (unsigned int i = 0; i < MEMOIR_FIGURES; i++)
		if (!is_near(whole->figures.bytes[i], sum->figures.bytes[i],
			     SHARES & 1u << i ? TOLERANCE : 0))
			differ(bad, "pid %d: figure %u: %" PRIu64 ", of regions %" PRIu64 "\n",
			       whole->pid, i, sum->figures.bytes[i], whole->figures.bytes[i]);
}

/* Pages that only one process maps, as often as it may. */
static uint64_t alone(const struct truth *truth, enum truth_kind kind, uint32_t space)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < truth->page_count; i++)
		pages += truth_kind_of(truth->pages[i].key) == kind &&
			 truth_mappers(truth, &truth->pages[i]) == 1ull << space;
	return pages * TRUTH_PAGE_BYTES;
}

/* Not where parts of large folios stay with another process: how much of that is known goes by the sharing sets. */
static void judge_alone(const struct look *look, size_t *bad, const struct memoir_process *whole,
			const struct memoir_process *sum, uint32_t space)
{
	uint64_t anon = alone(look->truth, TRUTH_ANON, space),
		 swap = alone(look->truth, TRUTH_SWAP, space);

	if ((whole->sole_anon_bytes == anon && sum->sole_anon_bytes != anon) ||
	    sum->sole_swap_bytes != swap)
		differ(bad,
		       "pid %d: its alone %" PRIu64 ", swap %" PRIu64 "; in truth %" PRIu64
		       ", %" PRIu64 "\n",
		       sum->pid, sum->sole_anon_bytes, sum->sole_swap_bytes, anon, swap);
}

size_t compare_sums(const struct look *look)
{
	size_t bad = 0;

	if (memoir_snapshot_region_count(look->sums))
		differ(&bad, "%zu regions without regions\n",
		       memoir_snapshot_region_count(look->sums));
	for (uint32_t i = 0; i < look->world->space_count; i++) {
		pid_t pid = look->world->spaces[i].pid;
		const struct memoir_process *whole = memoir_snapshot_find_pid(look->snapshot, pid),
					    *sum = memoir_snapshot_find_pid(look->sums, pid);

		if (!whole || !sum) {
			differ(&bad, "pid %d is not in both\n", pid);
			continue;
		}
		judge(&bad, whole, sum);
		judge_alone(look, &bad, whole, sum, i);
	}
	return bad;
}
