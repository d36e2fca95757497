// SPDX-License-Identifier: MIT
/*
 * Picks what the kernel gives back under pressure, or a person by one command; frees nothing.
 */
#include "analysis/easy.h"

struct source {
	const char *key;
	const char *less_key; /* NULL, or what of it can't be had */
	const char *what;
	const char *how;
};

static const struct source sources[] = {
	{ "frames:cache_clean", NULL, "clean page cache that nobody maps",
	  "dropped by the kernel when memory is short; it is on disk as well" },
	{ "SReclaimable", NULL, "reclaimable slab",
	  "at most this: caches of names and inodes, shrunk when memory is short" },
	{ "frames:swap_cache", NULL, "swap cache",
	  "dropped when memory is short; it is in swap as well" },
	{ "frames:anon_lazy", NULL, "given up by its programs (MADV_FREE)",
	  "dropped when memory is short, without being written anywhere" },
	{ "frames:anon_unmapped", NULL, "unmapped parts of huge pages",
	  "the kernel splits these huge pages when memory is short" },
	{ "hugetlb_free_bytes", "hugetlb_reserved_bytes", "hugetlb pages that nobody uses",
	  "lower the pool: sysctl vm.nr_hugepages" },
};

#define SOURCES (sizeof(sources) / sizeof(sources[0]))

_Static_assert(SOURCES + EASY_PROCESSES <= EASY_LINES_MAX, "lines need room");

static void add_sources(struct easy *easy, const struct memoir_snapshot *snapshot)
{
	for (size_t i = 0; i < SOURCES; i++) {
		const struct source *source = &sources[i];
		uint64_t bytes, less_bytes = 0;

		if (memoir_snapshot_meminfo(snapshot, source->key, &bytes) < 0)
			continue;
		if (source->less_key &&
		    memoir_snapshot_meminfo(snapshot, source->less_key, &less_bytes) < 0)
			continue;
		if (bytes > less_bytes)
			easy->lines[easy->count++] = (struct easy_line){
				.what = source->what,
				.how = source->how,
				.bytes = bytes - less_bytes,
			};
	}
}

/* The lines of processes stand behind the first `first`, the largest first. */
static void add_process(struct easy *easy, size_t first, const struct memoir_process *process,
			uint64_t bytes)
{
	size_t at = first;

	while (at < easy->count && easy->lines[at].bytes >= bytes)
		at++;
	if (at == first + EASY_PROCESSES)
		return;
	if (easy->count < first + EASY_PROCESSES)
		easy->count++;
	for (size_t i = easy->count - 1; i > at; i--)
		easy->lines[i] = easy->lines[i - 1];
	easy->lines[at] = (struct easy_line){
		.what = "what goes with a process",
		.how = "kill it; what it has swapped out comes on top",
		.bytes = bytes,
		.process = process,
	};
}

static void add_processes(struct easy *easy, const struct memoir_snapshot *snapshot,
			  const struct memoir_footprint *footprints)
{
	size_t count = memoir_snapshot_process_count(snapshot), first = easy->count;

	for (size_t i = 0; i < count; i++)
		if (footprints[i].freed_if_killed_known && footprints[i].freed_if_killed_bytes)
			add_process(easy, first, memoir_snapshot_process(snapshot, i),
				    footprints[i].freed_if_killed_bytes);
}

void easy_make(const struct memoir_snapshot *snapshot, const struct memoir_footprint *footprints,
	       struct easy *ret_easy)
{
	struct easy easy = { 0 };

	add_sources(&easy, snapshot);
	if (footprints)
		add_processes(&easy, snapshot, footprints);
	*ret_easy = easy;
}
