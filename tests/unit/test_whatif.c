// SPDX-License-Identifier: MIT
/*
 * What-if of small families made by hand: what is freed, what stays and who keeps it. test_worlds.c
 * holds the sums against counting pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <memoir/analysis.h>

#include "questions.h"

/* ---- folios --------------------------------------------------------------------------------- */

/* A parent with 4 huge pages; its child has the first page of each, and nothing else. */
static struct memoir_snapshot *huge_family(void)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t parent_region, child_region, set;

	add_process(s, 10);
	parent_region = add_region(s, MEMOIR_KIND_ANON, MEMOIR_NONE);
	add_process(s, 20);
	child_region = add_region(s, MEMOIR_KIND_ANON, MEMOIR_NONE);
	set = add_set(s, MEMOIR_NONE, parent_region, 8 * MIB - 4 * 4096, 0);
	add_set(s, set, child_region, UINT64_C(4) * 4096, 8 * MIB);
	s->regions[parent_region].figures.bytes[MEMOIR_USS] = 8 * MIB - 4 * 4096;
	return s;
}

static void a_page_kept_of_a_huge_page_keeps_all_of_it(void **state)
{
	struct memoir_snapshot *s = huge_family();
	struct memoir_whatif whatif = kill_of(s, "pid:10");

	(void)state;
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	assert_int_equal(whatif.bytes.kept_bytes, 8 * MIB);
	assert_int_equal(whatif.keeper_count, 1);
	assert_int_equal(whatif.keepers[0].pid, 20);
	assert_int_equal(whatif.keepers[0].kept_bytes, 8 * MIB);
	memoir_whatif_free(&whatif);
	whatif = kill_of(s, "pid:10,20");
	assert_int_equal(whatif.bytes.freed_bytes, 8 * MIB);
	assert_int_equal(whatif.bytes.kept_bytes, 0);
	assert_int_equal(whatif.keeper_count, 0);
	finish(s, &whatif);
}

static void what_a_trim_moves_is_not_of_a_huge_page_that_is_shared(void **state)
{
	struct memoir_snapshot *s = huge_family();
	struct memoir_whatif whatif = ask(s, MEMOIR_WHATIF_TRIM, "pid:10");

	(void)state;
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	assert_int_equal(whatif.bytes.kept_bytes, 8 * MIB);
	finish(s, &whatif);
}

/* Unmapped parts of a huge page come back with the mapped ones. */
static void a_folio_that_is_mapped_in_part_is_freed_as_a_whole(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_whatif whatif;

	(void)state;
	add_process(s, 10);
	add_set(s, MEMOIR_NONE, add_region(s, MEMOIR_KIND_ANON, MEMOIR_NONE), 4096, 2 * MIB);
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, 2 * MIB);
	assert_int_equal(whatif.bytes.kept_bytes, 0);
	finish(s, &whatif);
}

/* ---- objects -------------------------------------------------------------------------------- */

/* The mappers 10 and 20 of a memfd of 4 MiB, of which 3 are mapped, and 30 that has an fd only. */
static struct memoir_snapshot *held_memfd(void)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t memfd = add_object(s, MEMOIR_KIND_MEMFD, MEMOIR_FATE_FREED, 4 * MIB);

	s->objects[memfd].swapped_bytes = MIB;
	add_process(s, 10);
	map_object(s, memfd, 2 * MIB);
	add_process(s, 20);
	map_object(s, memfd, MIB);
	hold(s, memfd, add_process(s, 30));
	return s;
}

static void an_fd_elsewhere_keeps_a_memfd(void **state)
{
	struct memoir_snapshot *s = held_memfd();
	struct memoir_whatif whatif = kill_of(s, "pid:10,20");
	const struct memoir_whatif_row *row = find_row(&whatif, MEMOIR_WHATIF_BY_OBJECT, NULL);

	(void)state;
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	assert_int_equal(whatif.bytes.kept_bytes, 4 * MIB);
	assert_int_equal(whatif.bytes.kept_swap_bytes, MIB);
	assert_int_equal(whatif.keeper_count, 1);
	assert_int_equal(whatif.keepers[0].pid, 30);
	assert_int_equal(whatif.keepers[0].keeps, MEMOIR_KEEPS_HOLDS);
	assert_int_equal(whatif.keepers[0].kept_bytes, 4 * MIB);
	assert_int_equal(whatif.keepers[0].kept_swap_bytes, MIB);
	assert_ptr_equal(row->object, &s->objects[0]);
	assert_int_equal(row->kept_by_count, 1);
	assert_int_equal(row->kept_by[0], 30);
	finish(s, &whatif);
}

static void the_last_of_all_holders_frees_also_what_nobody_maps(void **state)
{
	struct memoir_snapshot *s = held_memfd();
	struct memoir_whatif whatif = kill_of(s, "pid:10,20,30");

	(void)state;
	assert_int_equal(whatif.bytes.freed_bytes, 4 * MIB);
	assert_int_equal(whatif.bytes.freed_swap_bytes, MIB);
	assert_int_equal(whatif.bytes.kept_bytes, 0);
	assert_false(whatif.partial);
	/* What two have in common is in the row of several: here the page that nobody maps. */
	assert_true(find_row(&whatif, MEMOIR_WHATIF_BY_NAME, "/object")->bytes.freed_bytes ==
		    4 * MIB);
	finish(s, &whatif);
}

static void an_object_that_is_only_held_counts_as_well(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_whatif whatif;

	(void)state;
	hold(s, add_object(s, MEMOIR_KIND_MEMFD, MEMOIR_FATE_FREED, 4 * MIB), add_process(s, 10));
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, 4 * MIB);
	assert_int_equal(find_row(&whatif, MEMOIR_WHATIF_BY_NAME, "/object")->kind,
			 MEMOIR_KIND_MEMFD);
	memoir_whatif_free(&whatif);
	/* Only mappings can be trimmed. */
	whatif = ask(s, MEMOIR_WHATIF_TRIM, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	assert_int_equal(whatif.bytes.kept_bytes, 0);
	finish(s, &whatif);
}

static void a_link_or_a_segment_keeps_what_nobody_has(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t file = add_object(s, MEMOIR_KIND_SHMEM, MEMOIR_FATE_KEPT, 2 * MIB);
	uint32_t segment = add_object(s, MEMOIR_KIND_SYSV, MEMOIR_FATE_KEPT, MIB);
	struct memoir_whatif whatif;

	(void)state;
	add_process(s, 10);
	map_object(s, file, MIB);
	map_object(s, segment, 0);
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	assert_int_equal(whatif.bytes.kept_bytes, 3 * MIB);
	assert_int_equal(whatif.keeper_count, 2);
	assert_int_equal(whatif.keepers[0].keeps, MEMOIR_KEEPS_LINK);
	assert_int_equal(whatif.keepers[0].kept_bytes, 2 * MIB);
	assert_null(whatif.keepers[0].process);
	assert_int_equal(whatif.keepers[1].keeps, MEMOIR_KEEPS_SEGMENT);
	assert_int_equal(whatif.keepers[1].kept_bytes, MIB);
	finish(s, &whatif);
}

static void page_cache_is_reclaimable_where_nobody_else_maps_it(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t file = add_object(s, MEMOIR_KIND_FILE, MEMOIR_FATE_RECLAIMABLE, 64 * MIB), set;
	uint32_t one, two;
	struct memoir_whatif whatif;

	(void)state;
	add_process(s, 10);
	one = map_object(s, file, 3 * MIB);
	add_process(s, 20);
	two = map_object(s, file, 0);
	set = add_set(s, MEMOIR_NONE, one, 0, 0);
	set = add_set(s, set, two, 2 * MIB, 0);
	s->sets[0].of_object = s->sets[1].of_object = true;
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	assert_int_equal(whatif.bytes.reclaimable_bytes, 3 * MIB);
	assert_int_equal(whatif.bytes.kept_bytes, 2 * MIB);
	assert_int_equal(whatif.keepers[0].pid, 20);
	assert_int_equal(find_row(&whatif, MEMOIR_WHATIF_BY_SET, NULL)->set, set);
	assert_int_equal(find_row(&whatif, MEMOIR_WHATIF_BY_SET, NULL)->kept_by[0], 20);
	assert_int_equal(find_row(&whatif, MEMOIR_WHATIF_BY_SET, NULL)->others, 1);
	memoir_whatif_free(&whatif);
	whatif = kill_of(s, "pid:10,20");
	assert_int_equal(whatif.bytes.reclaimable_bytes, 5 * MIB);
	assert_int_equal(whatif.bytes.kept_bytes, 0);
	finish(s, &whatif);
}

static void hugetlb_goes_back_to_its_pool(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t object = add_object(s, MEMOIR_KIND_HUGETLB, MEMOIR_FATE_FREED, 0);
	struct memoir_whatif whatif;

	(void)state;
	/* Pages of a private mapping are none of the object's. */
	add_process(s, 10);
	the_region(s, map_object(s, object, 0))->figures.bytes[MEMOIR_HUGETLB] = 4 * MIB;
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	assert_int_equal(whatif.bytes.freed_hugetlb_bytes, 4 * MIB);
	finish(s, &whatif);
}

/* ---- trim ----------------------------------------------------------------------------------- */

static void a_trim_says_how_much_swap_it_takes(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_whatif whatif;

	(void)state;
	snapshot_add_meminfo(s, "SwapFree", 2 * MIB);
	add_process(s, 10);
	add_anon(s, 3 * MIB);
	whatif = ask(s, MEMOIR_WHATIF_TRIM, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, 3 * MIB);
	assert_true(whatif.swap_free_known);
	assert_int_equal(whatif.swap_free_bytes, 2 * MIB);
	assert_true(has_note(&whatif, "3.00 MiB"));
	assert_true(has_note(&whatif, "not all"));
	assert_false(whatif.partial);
	finish(s, &whatif);
}

/* Whatever the pages are: own ones, those of a set of one, and those of an object. */
static void a_trim_leaves_what_is_locked(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t memfd = add_object(s, MEMOIR_KIND_MEMFD, MEMOIR_FATE_FREED, 2 * MIB);
	struct memoir_whatif whatif;

	(void)state;
	add_process(s, 10);
	add_anon(s, 4 * MIB);
	s->regions[0].locked = true;
	add_anon(s, MIB);
	map_object(s, memfd, 2 * MIB);
	s->regions[2].locked = true;
	whatif = ask(s, MEMOIR_WHATIF_TRIM, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, MIB);
	assert_int_equal(whatif.bytes.kept_bytes, 6 * MIB);
	memoir_whatif_free(&whatif);
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, 7 * MIB);
	finish(s, &whatif);
}

/* Pages of a file are dropped or written, those of shared memory go to swap. */
static void a_trim_takes_only_the_regions_that_match(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t file = add_object(s, MEMOIR_KIND_FILE, MEMOIR_FATE_RECLAIMABLE, MIB);
	uint32_t memfd = add_object(s, MEMOIR_KIND_MEMFD, MEMOIR_FATE_FREED, 2 * MIB);
	struct memoir_whatif whatif;

	(void)state;
	add_process(s, 10);
	add_anon(s, 4 * MIB);
	map_object(s, file, MIB);
	map_object(s, memfd, 2 * MIB);
	whatif = ask(s, MEMOIR_WHATIF_TRIM, "kind:file,memfd");
	assert_int_equal(whatif.bytes.reclaimable_bytes, MIB);
	assert_int_equal(whatif.bytes.freed_bytes, 2 * MIB);
	memoir_whatif_free(&whatif);
	/* A process dies as a whole. */
	whatif = kill_of(s, "kind:file");
	assert_int_equal(whatif.bytes.freed_bytes, 6 * MIB);
	memoir_whatif_free(&whatif);
	whatif = kill_of(s, "kind:heap");
	assert_int_equal(whatif.pid_count, 0);
	assert_true(whatif.known);
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	finish(s, &whatif);
}

static void what_a_trim_leaves_is_kept_by_all_that_share_it(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_whatif whatif;
	uint32_t set;

	(void)state;
	add_process(s, 10);
	set = add_set(s, MEMOIR_NONE, add_region(s, MEMOIR_KIND_ANON, MEMOIR_NONE), 0, 0);
	add_process(s, 20);
	add_set(s, set, add_region(s, MEMOIR_KIND_ANON, MEMOIR_NONE), MIB, MIB);
	whatif = ask(s, MEMOIR_WHATIF_TRIM, "pid:10,20");
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	assert_int_equal(whatif.bytes.kept_bytes, MIB);
	assert_int_equal(whatif.keeper_count, 2);
	finish(s, &whatif);
}

/* ---- peers ---------------------------------------------------------------------------------- */

static void a_peer_that_is_not_selected_keeps_everything(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t object = add_object(s, MEMOIR_KIND_MEMFD, MEMOIR_FATE_FREED, MIB);
	struct memoir_whatif whatif;

	(void)state;
	add_process(s, 10);
	add_peer(s, 11);
	add_anon(s, 3 * MIB)->own_swap_bytes = 2 * MIB;
	map_object(s, object, MIB);
	for (int i = 0; i < 2; i++) {
		whatif = kill_of(s, i ? "pid:11" : "pid:10");
		assert_int_equal(whatif.pid_count, 1);
		assert_int_equal(whatif.pids[0], i ? 11 : 10);
		assert_int_equal(whatif.process_count, 0);
		assert_int_equal(whatif.bytes.freed_bytes, 0);
		assert_true(whatif.kernel_known);
		assert_int_equal(whatif.bytes.freed_kernel_bytes, 0);
		assert_int_equal(whatif.bytes.kept_bytes, 4 * MIB);
		assert_int_equal(whatif.bytes.kept_swap_bytes, 2 * MIB);
		assert_int_equal(whatif.keepers[0].keeps, MEMOIR_KEEPS_PEER);
		assert_int_equal(whatif.keepers[0].pid, i ? 10 : 11);
		assert_int_equal(whatif.keepers[0].kept_bytes, 4 * MIB);
		assert_int_equal(whatif.keepers[0].kept_swap_bytes, 2 * MIB);
		assert_true(has_note(&whatif, i ? "of pid 11 is kept, because pid 10 shares"
						: "of pid 10 is kept, because pid 11 shares"));
		memoir_whatif_free(&whatif);
	}
	whatif = kill_of(s, "pid:10,11");
	assert_int_equal(whatif.pid_count, 2);
	assert_int_equal(whatif.process_count, 1);
	assert_int_equal(whatif.bytes.freed_bytes, 4 * MIB);
	assert_int_equal(whatif.note_count, 0);
	memoir_whatif_free(&whatif);
	/* Peers are one program: a command's name means them all. */
	whatif = kill_of(s, "comm:actor");
	assert_int_equal(whatif.bytes.freed_bytes, 4 * MIB);
	memoir_whatif_free(&whatif);
	/* A hint to one of them is one to all. */
	whatif = ask(s, MEMOIR_WHATIF_TRIM, "pid:11");
	assert_int_equal(whatif.process_count, 1);
	assert_int_equal(whatif.bytes.freed_bytes, 4 * MIB);
	finish(s, &whatif);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_kept_of_a_huge_page_keeps_all_of_it),
		cmocka_unit_test(what_a_trim_moves_is_not_of_a_huge_page_that_is_shared),
		cmocka_unit_test(a_folio_that_is_mapped_in_part_is_freed_as_a_whole),
		cmocka_unit_test(an_fd_elsewhere_keeps_a_memfd),
		cmocka_unit_test(the_last_of_all_holders_frees_also_what_nobody_maps),
		cmocka_unit_test(an_object_that_is_only_held_counts_as_well),
		cmocka_unit_test(a_link_or_a_segment_keeps_what_nobody_has),
		cmocka_unit_test(page_cache_is_reclaimable_where_nobody_else_maps_it),
		cmocka_unit_test(hugetlb_goes_back_to_its_pool),
		cmocka_unit_test(a_trim_says_how_much_swap_it_takes),
		cmocka_unit_test(a_trim_takes_only_the_regions_that_match),
		cmocka_unit_test(a_trim_leaves_what_is_locked),
		cmocka_unit_test(what_a_trim_leaves_is_kept_by_all_that_share_it),
		cmocka_unit_test(a_peer_that_is_not_selected_keeps_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
