// SPDX-License-Identifier: MIT
/*
 * What-if where something is not known, and what is counted apart: the kernel's memory and swap.
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

/* ---- what is not known ---------------------------------------------------------------------- */

static void without_holders_a_memfd_may_be_open_elsewhere(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t memfd = add_object(s, MEMOIR_KIND_MEMFD, MEMOIR_FATE_FREED, 2 * MIB);
	uint32_t shared = add_object(s, MEMOIR_KIND_SHARED_ANON, MEMOIR_FATE_FREED, MIB);
	struct memoir_footprint *footprints;
	struct memoir_whatif whatif;

	(void)state;
	s->holders_known = false;
	add_process(s, 10);
	map_object(s, memfd, MIB);
	map_object(s, shared, MIB);
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, MIB);
	assert_int_equal(whatif.bytes.unknown_bytes, 2 * MIB);
	assert_true(whatif.partial);
	assert_true(has_note(&whatif, "open"));
	footprints = footprints_of(s);
	assert_non_null(footprints);
	assert_false(footprints[0].freed_if_killed_known);
	assert_false(footprints[0].footprint_known); /* half of the memfd is mapped by nobody */
	free(footprints);
	finish(s, &whatif);
}

static void an_object_of_unknown_fate_is_neither_freed_nor_kept(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t object = add_object(s, MEMOIR_KIND_DEVICE, MEMOIR_FATE_UNKNOWN, 0);
	struct memoir_footprint *footprints;
	struct memoir_whatif whatif;

	(void)state;
	s->objects[object].resident_known = false;
	add_process(s, 10);
	map_object(s, object, MIB);
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.unknown_bytes, MIB);
	assert_int_equal(whatif.bytes.freed_bytes + whatif.bytes.kept_bytes, 0);
	assert_true(whatif.partial);
	footprints = footprints_of(s);
	assert_non_null(footprints);
	assert_false(footprints[0].freed_if_killed_known);
	assert_true(footprints[0].footprint_known);
	assert_int_equal(footprints[0].footprint_bytes, MIB);
	free(footprints);
	finish(s, &whatif);
}

static void an_object_of_unknown_residency_goes_by_what_is_mapped(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t object = add_object(s, MEMOIR_KIND_SHARED_ANON, MEMOIR_FATE_FREED, 0);
	struct memoir_whatif whatif;

	(void)state;
	s->objects[object].resident_known = false;
	add_process(s, 10);
	map_object(s, object, MIB);
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_bytes, MIB);
	assert_true(whatif.partial);
	finish(s, &whatif);
}

static void without_sharing_sets_nothing_is_said(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_footprint *footprints;
	struct memoir_sharing sharing;
	struct memoir_whatif whatif;

	(void)state;
	s->engine = MEMOIR_ENGINE_SMAPS;
	s->sets_known = false;
	add_process(s, 10);
	add_anon(s, MIB);
	whatif = kill_of(s, "pid:10");
	assert_false(whatif.known);
	assert_true(whatif.partial);
	assert_int_equal(whatif.row_count, 0);
	assert_int_equal(whatif.pid_count, 1);
	assert_true(has_note(&whatif, "smaps"));
	assert_int_equal(memoir_sharing(s, NULL, &sharing), 0);
	assert_false(sharing.known);
	assert_int_equal(sharing.pair_count + sharing.fork_count, 0);
	memoir_sharing_free(&sharing);
	footprints = footprints_of(s);
	assert_non_null(footprints);
	assert_false(footprints[0].footprint_known || footprints[0].freed_if_killed_known);
	free(footprints);
	finish(s, &whatif);
}

static void what_could_not_be_read_makes_it_partial(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_whatif whatif;

	(void)state;
	the_process(s, add_process(s, 10))->readable = false;
	whatif = kill_of(s, "pid:10");
	assert_true(whatif.partial);
	assert_false(whatif.known);
	assert_true(has_note(&whatif, "could not be read"));
	memoir_whatif_free(&whatif);
	add_process(s, 20);
	add_anon(s, MIB);
	whatif = kill_of(s, "pid:10,20");
	assert_true(whatif.partial);
	assert_true(whatif.known);
	assert_int_equal(whatif.bytes.freed_bytes, MIB);
	finish(s, &whatif);
}

/* ---- the kernel's memory and swap ----------------------------------------------------------- */

static void page_tables_and_stacks_are_counted_apart(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_whatif whatif;

	(void)state;
	add_process(s, 10);
	s->processes[0].page_table_bytes = 40960;
	s->processes[0].threads = 3;
	add_process(s, 20);
	s->processes[1].page_table_known = false;
	s->processes[1].threads = 0;
	whatif = kill_of(s, "pid:10");
	assert_true(whatif.kernel_known);
	assert_false(whatif.partial);
	assert_int_equal(whatif.bytes.freed_kernel_bytes, 40960 + 3 * 16384);
	assert_int_equal(whatif.bytes.freed_bytes, 0);
	memoir_whatif_free(&whatif);
	whatif = kill_of(s, "pid:20");
	assert_false(whatif.kernel_known);
	assert_true(whatif.partial);
	memoir_whatif_free(&whatif);
	whatif = kill_of(s, "pid:10,20");
	assert_true(whatif.kernel_known);
	assert_true(whatif.partial);
	finish(s, &whatif);
}

static void swap_in_zram_is_estimated_by_the_mean_ratio(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_whatif whatif;

	(void)state;
	add_process(s, 10);
	add_anon(s, 0)->own_swap_bytes = 30 * MIB;
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.bytes.freed_swap_bytes, 30 * MIB);
	assert_false(whatif.zram_known);
	memoir_whatif_free(&whatif);
	snapshot_add_meminfo(s, "zram_orig_bytes", 60 * MIB);
	snapshot_add_meminfo(s, "zram_used_bytes", 20 * MIB);
	whatif = kill_of(s, "pid:10");
	assert_true(whatif.zram_known);
	assert_int_equal(whatif.freed_zram_estimate_bytes, 10 * MIB);
	memoir_whatif_free(&whatif);
	/* Half of what is swapped out is on a disk. */
	snapshot_add_meminfo(s, "SwapTotal", 200 * MIB);
	snapshot_add_meminfo(s, "SwapFree", 80 * MIB);
	whatif = kill_of(s, "pid:10");
	assert_int_equal(whatif.freed_zram_estimate_bytes, 5 * MIB);
	finish(s, &whatif);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_holders_a_memfd_may_be_open_elsewhere),
		cmocka_unit_test(an_object_of_unknown_fate_is_neither_freed_nor_kept),
		cmocka_unit_test(an_object_of_unknown_residency_goes_by_what_is_mapped),
		cmocka_unit_test(without_sharing_sets_nothing_is_said),
		cmocka_unit_test(what_could_not_be_read_makes_it_partial),
		cmocka_unit_test(page_tables_and_stacks_are_counted_apart),
		cmocka_unit_test(swap_in_zram_is_estimated_by_the_mean_ratio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
