// SPDX-License-Identifier: MIT
/*
 * random_worlds MKWORLD ENGINE FIRST-SEED COUNT [WHO-PAGES]: worlds of random processes, captured by
 * memoir and read page by page, must be the same. Prints TAP, one point for each thing compared. Of each
 * world WHO-PAGES pages are drawn to ask who maps them.
 *
 * The worlds stand still, but the kernel may move their pages: what was read before a capture and
 * after it has to be equal, and is read again otherwise.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memoir/memoir.h>
#include <memoir/snapshot.h>

#include "compare.h"
#include "truth.h"
#include "world.h"

#define ATTEMPTS 5
/* Of so many worlds one is captured with the whole machine, the others by themselves. */
#define WHOLE_EVERY 4
#define BAD_SHOWN 5

static const struct comparison {
	const char *what;
	size_t (*compare)(const struct look *look);
} comparisons[] = {
	{ "kpagecount of every page is the number of its mappers", compare_counts },
	{ "sharing sets are the mapper lists of all pages", compare_sets },
	{ "what-if of subsets is what brute force finds", compare_whatif },
	{ "what two processes share are the pages that both map", compare_sharing },
	{ "sums are the same without regions", compare_sums },
	{ "who maps a page is its mapper list", compare_who },
};

#define COMPARISONS (sizeof(comparisons) / sizeof(*comparisons))

struct test {
	const char *mkworld, *engine;
	struct memoir *memoir;
	uint64_t first, count;
	size_t who_pages;
	uint64_t worlds, processes, pages, sets; /* seen */
	uint64_t shared_pages[TRUTH_KINDS];
	uint64_t bad[COMPARISONS];
	uint64_t lost; /* worlds that did not come up, or not stand still */
};

static bool is_wanted(const struct memoir_process *process, void *arg)
{
	if (world_space_of(arg, process->pid) != UINT32_MAX)
		return true;
	for (uint32_t i = 0; i < process->peer_count; i++)
		if (world_space_of(arg, process->peers[i]) != UINT32_MAX)
			return true;
	return false;
}

/* Sums of all go by other means than sums of some. */
static bool is_whole(const struct world *world, bool without_regions)
{
	return world->seed % WHOLE_EVERY == 0 || (without_regions && world->seed % 2);
}

static struct memoir_snapshot *capture(const struct test *test, const struct world *world,
				       bool without_regions)
{
	const struct memoir_capture_options options = {
		.sz = sizeof(options),
		.without_regions = without_regions,
		.wants = is_whole(world, without_regions) ? NULL : is_wanted,
		.wants_arg = (void *)world,
	};
	struct memoir_snapshot *snapshot = NULL;
	struct memoir_error error = { 0 };

	if (memoir_capture(test->memoir, &options, &snapshot, &error))
		printf("# capture: %s\n", error.text);
	return snapshot;
}

/* The truth and snapshots of the same moment; false if there are none to be had. */
static bool look_at(const struct test *test, const struct world *world, struct truth *truth,
		    struct memoir_snapshot **ret_snapshot, struct memoir_snapshot **ret_sums)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		struct memoir_snapshot *snapshot = NULL, *sums = NULL;
		struct truth after = { 0 };
		bool still = false;

		if (truth_read(truth, world) == 0) {
			snapshot = capture(test, world, false);
			sums = capture(test, world, true);
			still = snapshot && sums && truth_read(&after, world) == 0 &&
				truth_equal(truth, &after);
			truth_free(&after);
		}
		if (still) {
			*ret_snapshot = snapshot;
			*ret_sums = sums;
			return true;
		}
		memoir_snapshot_free(snapshot);
		memoir_snapshot_free(sums);
		truth_free(truth);
	}
	printf("# world %" PRIu64 " does not stand still\n", world->seed);
	return false;
}

static void count(struct test *test, const struct look *look)
{
	test->worlds++;
	test->processes += look->world->space_count;
	test->pages += look->truth->page_count;
	test->sets += memoir_snapshot_set_count(look->snapshot);
	for (size_t i = 0; i < look->truth->page_count; i++)
		if (look->truth->pages[i].count > 1)
			test->shared_pages[truth_kind_of(look->truth->pages[i].key)]++;
}

static void compare(struct test *test, struct look *look)
{
	size_t lost = look_init(look), bad;

	for (size_t i = 0; i < COMPARISONS; i++) {
		bad = lost ? lost : comparisons[i].compare(look);
		test->bad[i] += bad > 0;
		if (bad && test->bad[i] <= BAD_SHOWN)
			printf("# seed %" PRIu64 ": %zu differences: %s\n", look->world->seed, bad,
			       comparisons[i].what);
	}
	count(test, look);
	look_free(look);
}

static void try_seed(struct test *test, uint64_t seed)
{
	struct truth truth = { 0 };
	struct world world;
	struct look look = {
		.world = &world,
		.truth = &truth,
		.memoir = test->memoir,
		.who_pages = test->who_pages,
	};
	struct memoir_snapshot *snapshot = NULL, *sums = NULL;

	if (world_start(&world, test->mkworld, seed)) {
		test->lost++;
		return;
	}
	if (look_at(test, &world, &truth, &snapshot, &sums)) {
		look.snapshot = snapshot;
		look.sums = sums;
		compare(test, &look);
	} else {
		test->lost++;
	}
	memoir_snapshot_free(snapshot);
	memoir_snapshot_free(sums);
	truth_free(&truth);
	world_end(&world);
}

static bool point(size_t number, bool good, const char *what, const struct test *test)
{
	printf("%sok %zu - %s (%s, seeds %" PRIu64 " to %" PRIu64 ")\n", good ? "" : "not ", number,
	       what, test->engine, test->first, test->first + test->count - 1);
	return good;
}

static int run(struct test *test)
{
	bool good = true;

	for (uint64_t i = 0; i < test->count; i++)
		try_seed(test, test->first + i);
	printf("# %" PRIu64 " worlds, %" PRIu64 " processes, %" PRIu64 " pages, %" PRIu64
	       " sets; shared: %" PRIu64 " pages anonymous, %" PRIu64 " of objects, %" PRIu64
	       " swapped\n",
	       test->worlds, test->processes, test->pages, test->sets,
	       test->shared_pages[TRUTH_ANON], test->shared_pages[TRUTH_OBJECT],
	       test->shared_pages[TRUTH_SWAP]);
	for (size_t i = 0; i < COMPARISONS; i++)
		good &= point(i + 1, test->worlds && !test->bad[i], comparisons[i].what, test);
	good &= point(COMPARISONS + 1, !test->lost, "all worlds came up and stood still", test);
	good &= point(COMPARISONS + 2,
		      test->shared_pages[TRUTH_ANON] && test->shared_pages[TRUTH_OBJECT],
		      "the worlds share anonymous pages and pages of objects", test);
	printf("1..%zu\n", COMPARISONS + 2);
	return good ? 0 : 1;
}

static int open_engine(struct test *test)
{
	struct memoir_options options = { .sz = sizeof(options) };
	struct memoir_error error = { 0 };
	const char *name;

	for (int i = 0; (name = memoir_engine_name((enum memoir_engine)i)); i++)
		if (strcmp(name, test->engine) == 0)
			options.engine = (enum memoir_engine)i;
	if (memoir_open(&options, &test->memoir, &error) == 0)
		return 0;
	printf("Bail out! %s\n", error.text);
	return -1;
}

int main(int argc, char **argv)
{
	struct test test = { 0 };
	int code = 1;

	if (argc < 5 || argc > 6) {
		fprintf(stderr,
			"usage: random_worlds MKWORLD ENGINE FIRST-SEED COUNT [WHO-PAGES]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid()) {
		printf("1..0 # SKIP needs root: frame numbers are hidden\n");
		return 0;
	}
	test.mkworld = argv[1];
	test.engine = argv[2];
	test.first = strtoull(argv[3], NULL, 10);
	test.count = strtoull(argv[4], NULL, 10);
	test.who_pages = argc == 6 ? strtoull(argv[5], NULL, 10) : 0;
	if (open_engine(&test) == 0)
		code = run(&test);
	memoir_close(test.memoir);
	return code;
}
