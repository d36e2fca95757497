// SPDX-License-Identifier: MIT
/*
 * What-if, sharing and footprints of random worlds, against counting each page by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include <memoir/analysis.h>

#include "world.h"

#define WORLDS 300
#define SUBSETS 6

/* ---- what-if -------------------------------------------------------------------------------- */

/* Who is named: some processes, and of one that has a peer sometimes only one of both. */
struct subset {
	char selector[WORLD_PROCESSES * 12 + 16];
	bool named[WORLD_PROCESSES];
	bool dies[WORLD_PROCESSES];
};

static struct subset draw_subset(const struct world *w)
{
	struct subset subset = { .selector = "pid:0" };
	size_t at = strlen(subset.selector);
	uint32_t share = 1 + world_draw(3);

	for (int i = 0; i < WORLD_PROCESSES; i++) {
		const struct memoir_process *p = &w->s->processes[i];
		uint32_t part = p->peer_count ? world_draw(4) : 2;

		subset.named[i] = world_draw(share) == 0;
		subset.dies[i] = subset.named[i] && part >= 2;
		if (subset.named[i] && part != 0)
			at += (size_t)snprintf(subset.selector + at, sizeof(subset.selector) - at,
					       ",%d", p->pid);
		if (subset.named[i] && part != 1 && p->peer_count)
			at += (size_t)snprintf(subset.selector + at, sizeof(subset.selector) - at,
					       ",%d", p->peers[0]);
	}
	return subset;
}

/* By brute force: the whole, and each process's part with the last for several. */
struct truth {
	struct memoir_whatif_bytes all;
	struct memoir_whatif_bytes parts[WORLD_PROCESSES + 1];
	uint64_t keeps[WORLD_PROCESSES]; /* what each one keeps by its mappings */
};

/* The index of the part that something is in: of those named who have it. */
static int part_of(const struct subset *subset, const bool *has)
{
	int part = -1;

	for (int i = 0; i < WORLD_PROCESSES; i++)
		if (has[i] && subset->named[i])
			part = part < 0 ? i : WORLD_PROCESSES;
	return part;
}

static void count(struct truth *truth, int part, size_t offset, uint64_t bytes)
{
	*(uint64_t *)(void *)((char *)&truth->all + offset) += bytes;
	*(uint64_t *)(void *)((char *)&truth->parts[part] + offset) += bytes;
}

#define COUNT(truth, part, field, bytes) \
	count(truth, part, offsetof(struct memoir_whatif_bytes, field), bytes)

/* Whether all that map the page die, or (`folio`) all that map a page which goes with it. */
static bool page_dies(const struct world *w, const struct subset *subset,
		      const struct world_page *page, bool folio)
{
	for (size_t i = 0; i < w->page_count; i++) {
		const struct world_page *other = &w->pages[i];

		if (other != page && !(folio && other->anon && page->anon && !page->swapped &&
				       other->folio == page->folio))
			continue;
		for (uint32_t m = 0; m < other->member_count; m++)
			if (!subset->dies[w->s->regions[other->members[m]].process])
				return false;
	}
	return true;
}

static bool object_dies(const struct world *w, const struct subset *subset, uint32_t object)
{
	for (uint32_t i = 0; i < WORLD_PROCESSES; i++)
		if (world_object_has(w, object, i) && !subset->dies[i])
			return false;
	return w->s->objects[object].fate == MEMOIR_FATE_FREED;
}

static void count_anon(const struct world *w, const struct subset *subset,
		       const struct world_page *page, const bool *has, struct truth *truth)
{
	bool dies = page_dies(w, subset, page, true);
	int part = part_of(subset, has);

	if (part < 0)
		return;
	if (page->swapped && dies)
		COUNT(truth, part, freed_swap_bytes, WORLD_PAGE);
	else if (page->swapped)
		COUNT(truth, part, kept_swap_bytes, WORLD_PAGE);
	else if (dies)
		COUNT(truth, part, freed_bytes, WORLD_PAGE);
	else
		COUNT(truth, part, kept_bytes, WORLD_PAGE);
	for (int i = 0; i < WORLD_PROCESSES; i++)
		if (!page->swapped && has[i] && !subset->dies[i])
			truth->keeps[i] += WORLD_PAGE;
}

static void count_cache(const struct world *w, const struct subset *subset,
			const struct world_page *page, const bool *has, struct truth *truth)
{
	int part = part_of(subset, has);

	if (part < 0)
		return;
	if (page_dies(w, subset, page, false))
		COUNT(truth, part, reclaimable_bytes, WORLD_PAGE);
	else
		COUNT(truth, part, kept_bytes, WORLD_PAGE);
	for (int i = 0; i < WORLD_PROCESSES; i++)
		if (has[i] && !subset->dies[i])
			truth->keeps[i] += WORLD_PAGE;
}

static void count_pages(const struct world *w, const struct subset *subset, struct truth *truth)
{
	for (size_t i = 0; i < w->page_count; i++) {
		const struct world_page *page = &w->pages[i];
		bool has[WORLD_PROCESSES];

		for (uint32_t p = 0; p < WORLD_PROCESSES; p++)
			has[p] = world_page_has(w, page, p);
		if (page->anon)
			count_anon(w, subset, page, has, truth);
		else if (w->s->objects[page->object].fate == MEMOIR_FATE_RECLAIMABLE)
			count_cache(w, subset, page, has, truth);
	}
}

/* Of objects that go or stay as a whole, mapped pages are in the part of those that map them. */
static void count_object(const struct world *w, const struct subset *subset, uint32_t object,
			 struct truth *truth)
{
	const struct memoir_object *o = &w->s->objects[object];
	bool dies = object_dies(w, subset, object), has[WORLD_PROCESSES];
	size_t ram = dies ? offsetof(struct memoir_whatif_bytes, freed_bytes)
			  : offsetof(struct memoir_whatif_bytes, kept_bytes);
	int part, whole;

	for (uint32_t i = 0; i < WORLD_PROCESSES; i++)
		has[i] = world_object_has(w, object, i);
	whole = part_of(subset, has);
	if (whole < 0)
		return;
	for (int i = 0; i < WORLD_PROCESSES; i++)
		if (has[i] && !subset->dies[i])
			truth->keeps[i] += o->resident_bytes;
	for (size_t i = 0; i < w->page_count; i++) {
		if (w->pages[i].anon || w->pages[i].object != object)
			continue;
		for (uint32_t p = 0; p < WORLD_PROCESSES; p++)
			has[p] = world_page_has(w, &w->pages[i], p);
		part = part_of(subset, has);
		count(truth, part < 0 ? whole : part, ram, WORLD_PAGE);
	}
	count(truth, whole,
	      dies ? offsetof(struct memoir_whatif_bytes, freed_swap_bytes)
		   : offsetof(struct memoir_whatif_bytes, kept_swap_bytes),
	      o->swapped_bytes);
}

static void find_truth(const struct world *w, const struct subset *subset, struct truth *truth)
{
	*truth = (struct truth){ 0 };
	count_pages(w, subset, truth);
	for (uint32_t i = WORLD_FAMILIES; i < WORLD_OBJECTS; i++)
		if (w->s->objects[i].fate != MEMOIR_FATE_RECLAIMABLE)
			count_object(w, subset, i, truth);
	for (int i = 0; i < WORLD_PROCESSES; i++)
		if (subset->dies[i])
			COUNT(truth, i, freed_kernel_bytes,
			      w->s->processes[i].page_table_bytes +
				      w->s->processes[i].threads * UINT64_C(16384));
}

static struct memoir_selection *parse(const char *selector)
{
	struct memoir_selection *selection = NULL;

	assert_int_equal(memoir_selection_parse(&selector, 1, &selection, NULL), 0);
	return selection;
}

static void ask(const struct world *w, enum memoir_whatif_action action, const char *selector,
		struct memoir_whatif *ret_whatif)
{
	struct memoir_selection *selection = parse(selector);

	assert_int_equal(memoir_whatif(w->s, action, selection, ret_whatif), 0);
	memoir_selection_free(selection);
}

static void assert_same_bytes(const struct memoir_whatif_bytes *got,
			      const struct memoir_whatif_bytes *wanted)
{
	assert_int_equal(got->freed_bytes, wanted->freed_bytes);
	assert_int_equal(got->freed_swap_bytes, wanted->freed_swap_bytes);
	assert_int_equal(got->freed_kernel_bytes, wanted->freed_kernel_bytes);
	assert_int_equal(got->reclaimable_bytes, wanted->reclaimable_bytes);
	assert_int_equal(got->kept_bytes, wanted->kept_bytes);
	assert_int_equal(got->kept_swap_bytes, wanted->kept_swap_bytes);
	assert_int_equal(got->unknown_bytes, wanted->unknown_bytes);
}

static void what_if_of_random_subsets_is_what_each_page_says(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= WORLDS; seed++) {
		struct world w;

		world_make(&w, seed);
		for (int i = 0; i < SUBSETS; i++) {
			struct memoir_whatif whatif;
			struct subset subset;
			struct truth truth;

			subset = draw_subset(&w);
			find_truth(&w, &subset, &truth);
			ask(&w, MEMOIR_WHATIF_KILL, subset.selector, &whatif);
			assert_same_bytes(&whatif.bytes, &truth.all);
			assert_false(whatif.partial);
			memoir_whatif_free(&whatif);
		}
		memoir_snapshot_free(w.s);
	}
}

/* In folios it depends on the folio's family which part what is kept is in. */
static void parts_by_process_are_what_only_that_one_has(void **state)
{
	(void)state;
	for (unsigned int seed = 2; seed <= WORLDS; seed += 2) {
		struct memoir_whatif whatif;
		struct subset subset;
		struct truth truth;
		struct world w;

		world_make(&w, seed);
		subset = draw_subset(&w);
		find_truth(&w, &subset, &truth);
		ask(&w, MEMOIR_WHATIF_KILL, subset.selector, &whatif);
		for (size_t i = 0; i < whatif.row_count; i++) {
			const struct memoir_whatif_row *row = &whatif.rows[i];

			if (row->by == MEMOIR_WHATIF_BY_PROCESS)
				assert_same_bytes(
					&row->bytes,
					&truth.parts[row->several ? WORLD_PROCESSES
								  : row->process - w.s->processes]);
		}
		memoir_whatif_free(&whatif);
		memoir_snapshot_free(w.s);
	}
}

static void add(struct memoir_whatif_bytes *sum, const struct memoir_whatif_bytes *bytes)
{
	sum->freed_bytes += bytes->freed_bytes;
	sum->freed_swap_bytes += bytes->freed_swap_bytes;
	sum->freed_kernel_bytes += bytes->freed_kernel_bytes;
	sum->reclaimable_bytes += bytes->reclaimable_bytes;
	sum->kept_bytes += bytes->kept_bytes;
	sum->kept_swap_bytes += bytes->kept_swap_bytes;
}

static void rows_of_each_kind_add_up_to_the_whole(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= WORLDS; seed++) {
		struct memoir_whatif_bytes sums[MEMOIR_WHATIF_BYS] = { 0 };
		struct memoir_whatif whatif;
		struct subset subset;
		struct world w;

		world_make(&w, seed);
		subset = draw_subset(&w);
		ask(&w, seed % 3 ? MEMOIR_WHATIF_KILL : MEMOIR_WHATIF_TRIM, subset.selector,
		    &whatif);
		for (size_t i = 0; i < whatif.row_count; i++)
			add(&sums[whatif.rows[i].by], &whatif.rows[i].bytes);
		assert_same_bytes(&sums[MEMOIR_WHATIF_BY_PROCESS], &whatif.bytes);
		/* Page tables and stacks are processes' only. */
		sums[MEMOIR_WHATIF_BY_NAME].freed_kernel_bytes =
			sums[MEMOIR_WHATIF_BY_OBJECT].freed_kernel_bytes =
				whatif.bytes.freed_kernel_bytes;
		assert_same_bytes(&sums[MEMOIR_WHATIF_BY_NAME], &whatif.bytes);
		assert_same_bytes(&sums[MEMOIR_WHATIF_BY_OBJECT], &whatif.bytes);
		memoir_whatif_free(&whatif);
		memoir_snapshot_free(w.s);
	}
}

static uint64_t kept_by(const struct memoir_whatif *whatif, const struct memoir_process *process,
			bool by_fd)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < whatif->keeper_count; i++)
		if (whatif->keepers[i].process == process &&
		    (by_fd || whatif->keepers[i].keeps != MEMOIR_KEEPS_HOLDS))
			bytes += whatif->keepers[i].kept_bytes;
	return bytes;
}

static void keepers_are_those_that_map_or_hold_what_stays(void **state)
{
	(void)state;
	for (unsigned int seed = 2; seed <= WORLDS; seed += 2) {
		struct memoir_whatif whatif;
		struct subset subset;
		struct truth truth;
		struct world w;

		world_make(&w, seed);
		subset = draw_subset(&w);
		find_truth(&w, &subset, &truth);
		ask(&w, MEMOIR_WHATIF_KILL, subset.selector, &whatif);
		/* Of an object that stays nothing need be kept that nobody has. */
		for (int i = 0; i < WORLD_PROCESSES; i++)
			assert_int_equal(kept_by(&whatif, &w.s->processes[i], true),
					 truth.keeps[i]);
		memoir_whatif_free(&whatif);
		memoir_snapshot_free(w.s);
	}
}

/* ---- trim ----------------------------------------------------------------------------------- */

static bool swaps(const struct memoir_object *object)
{
	return object->kind == MEMOIR_KIND_MEMFD || object->kind == MEMOIR_KIND_SHARED_ANON;
}

static void trim_moves_what_is_mapped_once(void **state)
{
	(void)state;
	for (unsigned int seed = 2; seed <= WORLDS; seed += 2) {
		struct memoir_whatif_bytes wanted = { 0 };
		struct memoir_whatif whatif;
		struct subset subset;
		struct world w;

		world_make(&w, seed);
		subset = draw_subset(&w);
		for (size_t i = 0; i < w.page_count; i++) {
			const struct world_page *page = &w.pages[i];
			bool any = false;

			for (uint32_t p = 0; p < WORLD_PROCESSES; p++)
				any |= subset.named[p] && world_page_has(&w, page, p);
			if (!any || page->swapped)
				continue;
			if (page->member_count > 1)
				wanted.kept_bytes += WORLD_PAGE;
			else if (page->anon || swaps(&w.s->objects[page->object]))
				wanted.freed_bytes += WORLD_PAGE;
			else
				wanted.reclaimable_bytes += WORLD_PAGE;
		}
		ask(&w, MEMOIR_WHATIF_TRIM, subset.selector, &whatif);
		assert_same_bytes(&whatif.bytes, &wanted);
		memoir_whatif_free(&whatif);
		memoir_snapshot_free(w.s);
	}
}

/* ---- footprints ----------------------------------------------------------------------------- */

static uint32_t processes_of(const struct world *w, const struct world_page *page)
{
	uint32_t processes = 0;

	for (uint32_t p = 0; p < WORLD_PROCESSES; p++)
		processes += page->member_count ? world_page_has(w, page, p)
						: world_object_has(w, page->object, p);
	return processes;
}

static double footprint_of(const struct world *w, uint32_t process)
{
	double bytes = 0;

	for (size_t i = 0; i < w->page_count; i++) {
		const struct world_page *page = &w->pages[i];
		bool cache =
			!page->anon && w->s->objects[page->object].fate == MEMOIR_FATE_RECLAIMABLE;

		if (page->swapped || (cache && !page->member_count))
			continue;
		if (page->member_count ? world_page_has(w, page, process)
				       : world_object_has(w, page->object, process))
			bytes += (double)WORLD_PAGE / processes_of(w, page);
	}
	return bytes;
}

static void a_footprint_is_an_even_share_of_each_page(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= WORLDS; seed++) {
		struct memoir_footprint *footprints;
		struct world w;

		world_make(&w, seed);
		assert_int_equal(memoir_footprints(w.s, &footprints), 0);
		for (uint32_t i = 0; i < WORLD_PROCESSES; i++) {
			double wanted = footprint_of(&w, i);
			double got = (double)footprints[i].footprint_bytes;

			assert_true(footprints[i].footprint_known);
			assert_true(got <= wanted + 0.001 && got >= wanted - 2);
		}
		free(footprints);
		memoir_snapshot_free(w.s);
	}
}

static void freed_if_killed_is_the_what_if_of_that_process(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= WORLDS; seed++) {
		struct memoir_footprint *footprints;
		struct world w;

		world_make(&w, seed);
		assert_int_equal(memoir_footprints(w.s, &footprints), 0);
		for (uint32_t i = 0; i < WORLD_PROCESSES; i++) {
			struct memoir_whatif whatif;
			char selector[32];

			/* Peers have the next pid. */
			snprintf(selector, sizeof(selector), "pid:%d,%d", w.s->processes[i].pid,
				 w.s->processes[i].pid + 1);
			ask(&w, MEMOIR_WHATIF_KILL, selector, &whatif);
			assert_true(footprints[i].freed_if_killed_known);
			assert_int_equal(footprints[i].freed_if_killed_bytes,
					 whatif.bytes.freed_bytes);
			memoir_whatif_free(&whatif);
		}
		free(footprints);
		memoir_snapshot_free(w.s);
	}
}

/* ---- sharing -------------------------------------------------------------------------------- */

static struct memoir_shared shared_by(const struct world *w, uint32_t a, uint32_t b)
{
	struct memoir_shared shared = { 0 };

	for (size_t i = 0; i < w->page_count; i++) {
		const struct world_page *page = &w->pages[i];

		if (!world_page_has(w, page, a) || !world_page_has(w, page, b))
			continue;
		*(page->swapped ? &shared.shared_swap_bytes : &shared.shared_bytes) += WORLD_PAGE;
		shared.shared_anon_bytes += page->anon && !page->swapped ? WORLD_PAGE : 0;
	}
	return shared;
}

static struct memoir_shared pair_of(const struct memoir_sharing *sharing,
				    const struct memoir_process *a, const struct memoir_process *b)
{
	struct memoir_shared none = { 0 };

	for (size_t i = 0; i < sharing->pair_count; i++)
		if (sharing->pairs[i].a == a && sharing->pairs[i].b == b)
			return sharing->pairs[i].shared;
	return none;
}

static void assert_same_shared(const struct memoir_shared *got, const struct memoir_shared *wanted)
{
	assert_int_equal(got->shared_bytes, wanted->shared_bytes);
	assert_int_equal(got->shared_anon_bytes, wanted->shared_anon_bytes);
	assert_int_equal(got->shared_swap_bytes, wanted->shared_swap_bytes);
}

static void pairs_share_the_pages_that_both_map(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= WORLDS; seed++) {
		struct memoir_sharing sharing;
		struct memoir_selection *selection;
		struct subset subset;
		struct world w;

		world_make(&w, seed);
		subset = draw_subset(&w);
		selection = parse(subset.selector);
		assert_int_equal(memoir_sharing(w.s, selection, &sharing), 0);
		for (uint32_t a = 0; a < WORLD_PROCESSES; a++)
			for (uint32_t b = a + 1; b < WORLD_PROCESSES; b++) {
				struct memoir_shared wanted = { 0 };
				struct memoir_shared got =
					pair_of(&sharing, &w.s->processes[a], &w.s->processes[b]);

				if (subset.named[a] || subset.named[b])
					wanted = shared_by(&w, a, b);
				assert_same_shared(&got, &wanted);
			}
		memoir_sharing_free(&sharing);
		memoir_selection_free(selection);
		memoir_snapshot_free(w.s);
	}
}

/* ppid and pids are such that every process but the first has a parent in the world. */
static void forks_divide_anonymous_memory_by_what_the_parent_has(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= WORLDS; seed++) {
		struct memoir_sharing sharing;
		struct world w;

		world_make(&w, seed);
		assert_int_equal(memoir_sharing(w.s, NULL, &sharing), 0);
		assert_int_equal(sharing.fork_count, WORLD_PROCESSES);
		for (size_t i = 0; i < sharing.fork_count; i++) {
			const struct memoir_fork *fork = &sharing.forks[i];
			uint32_t child = (uint32_t)(fork->process - w.s->processes);
			struct memoir_shared all = shared_by(&w, child, child), wanted = { 0 };

			assert_true(fork->parent == NULL || fork->depth > 0);
			if (fork->parent)
				wanted = shared_by(&w, child,
						   (uint32_t)(fork->parent - w.s->processes));
			assert_same_shared(&fork->shared, &wanted);
			assert_int_equal(fork->own_bytes,
					 all.shared_anon_bytes - wanted.shared_anon_bytes);
			assert_int_equal(fork->own_swap_bytes,
					 all.shared_swap_bytes - wanted.shared_swap_bytes);
		}
		memoir_sharing_free(&sharing);
		memoir_snapshot_free(w.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_if_of_random_subsets_is_what_each_page_says),
		cmocka_unit_test(parts_by_process_are_what_only_that_one_has),
		cmocka_unit_test(rows_of_each_kind_add_up_to_the_whole),
		cmocka_unit_test(keepers_are_those_that_map_or_hold_what_stays),
		cmocka_unit_test(trim_moves_what_is_mapped_once),
		cmocka_unit_test(a_footprint_is_an_even_share_of_each_page),
		cmocka_unit_test(freed_if_killed_is_the_what_if_of_that_process),
		cmocka_unit_test(pairs_share_the_pages_that_both_map),
		cmocka_unit_test(forks_divide_anonymous_memory_by_what_the_parent_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
