// SPDX-License-Identifier: MIT
/*
 * Comparing two snapshots that are built by hand: what is matched with what, and what is said of it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <memoir/diff.h>

#include "analysis/diff.h"
#include "snapshot/model.h"

#define ALL_KNOWN ((1u << MEMOIR_FIGURES) - 1)
#define MIB (UINT64_C(1) << 20)

/* ---- building ------------------------------------------------------------------------------- */

static struct memoir_process *add_process(struct memoir_snapshot *s, pid_t pid,
					  uint64_t start_ticks)
{
	struct memoir_process *p = snapshot_add_process(s);

	*p = (struct memoir_process){
		.pid = pid,
		.start_ticks = start_ticks,
		.comm = "x",
		.first_region = (uint32_t)s->region_count,
		.in_scope = true,
		.readable = true,
	};
	return p;
}

/* To the process added last: 16 MiB of address space with so much in it. */
static struct memoir_region *add_region(struct memoir_snapshot *s, enum memoir_kind kind,
					uint64_t pss_bytes)
{
	struct memoir_process *p = &s->processes[s->process_count - 1];
	struct memoir_region *r = snapshot_add_region(s);

	*r = (struct memoir_region){
		.start = 16 * MIB * ++p->region_count,
		.kind = kind,
		.exact = true,
		.process = (uint32_t)(s->process_count - 1),
		.object = MEMOIR_NONE,
		.family = MEMOIR_NONE,
		.figures.known = ALL_KNOWN,
	};
	r->end = r->start + 16 * MIB;
	r->figures.bytes[MEMOIR_PSS] = pss_bytes;
	r->figures.bytes[MEMOIR_RSS] = 2 * pss_bytes;
	return r;
}

static uint32_t add_object(struct memoir_snapshot *s, enum memoir_kind kind, uint64_t inode)
{
	*snapshot_add_object(s) = (struct memoir_object){ .kind = kind, .inode = inode };
	return (uint32_t)(s->object_count - 1);
}

/* ---- asking --------------------------------------------------------------------------------- */

struct world {
	struct memoir_snapshot *before, *after;
	struct memoir_diff diff;
};

static int new_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->before = snapshot_new();
	w->after = snapshot_new();
	w->before->holders_known = w->after->holders_known = true;
	*state = w;
	return w->before && w->after ? 0 : -1;
}

static int free_world(void **state)
{
	struct world *w = *state;

	memoir_diff_free(&w->diff);
	memoir_snapshot_free(w->before);
	memoir_snapshot_free(w->after);
	free(w);
	return 0;
}

static void compare(struct world *w, enum memoir_diff_by by)
{
	memoir_diff_free(&w->diff);
	snapshot_sum_processes(w->before);
	snapshot_sum_processes(w->after);
	assert_int_equal(memoir_diff(w->before, w->after, by, &w->diff), 0);
}

static void expect_delta(struct memoir_delta delta, int64_t bytes)
{
	assert_true(delta.known);
	assert_int_equal(delta.bytes, bytes < 0 ? -bytes : bytes);
	assert_int_equal(delta.negative, bytes < 0);
}

static void expect_row(const struct world *w, size_t i, enum memoir_change change,
		       int64_t pss_delta_bytes)
{
	assert_true(i < w->diff.count);
	if (w->diff.rows[i].change != change)
		fail_msg("row %zu: %s, not %s", i, memoir_change_name(w->diff.rows[i].change),
			 memoir_change_name(change));
	expect_delta(memoir_diff_delta(&w->diff.rows[i], MEMOIR_PSS), pss_delta_bytes);
}

static pid_t pid_of(const struct memoir_diff_row *row)
{
	return (row->after.present ? row->after.process : row->before.process)->pid;
}

/* ---- processes ------------------------------------------------------------------------------ */

static void the_largest_changes_come_first_whichever_way(void **state)
{
	static const struct {
		pid_t pid;
		uint64_t before, after;
	} cases[] = { { 1, 5 * MIB, 5 * MIB },
		      { 2, MIB, 3 * MIB },
		      { 3, 9 * MIB, 4 * MIB },
		      { 4, 3 * MIB, MIB } };
	static const pid_t order[] = { 3, 2, 4, 1 };
	struct world *w = *state;

	for (size_t i = 0; i < 4; i++) {
		add_process(w->before, cases[i].pid, 7);
		add_region(w->before, MEMOIR_KIND_ANON, cases[i].before);
		/* Another order is no change. */
		add_process(w->after, cases[3 - i].pid, 7);
		add_region(w->after, MEMOIR_KIND_ANON, cases[3 - i].after);
	}
	compare(w, MEMOIR_DIFF_PROCESS);
	assert_int_equal(w->diff.count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pid_of(&w->diff.rows[i]), order[i]);
	expect_row(w, 0, MEMOIR_CHANGE_SHRANK, -5 * (int64_t)MIB);
	expect_row(w, 1, MEMOIR_CHANGE_GREW, 2 * MIB);
	expect_row(w, 2, MEMOIR_CHANGE_SHRANK, -2 * (int64_t)MIB);
	expect_row(w, 3, MEMOIR_CHANGE_NONE, 0);
}

static void a_pid_used_again_is_another_process(void **state)
{
	struct world *w = *state;

	add_process(w->before, 1, 7);
	add_region(w->before, MEMOIR_KIND_ANON, MIB);
	add_process(w->after, 1, 8);
	add_region(w->after, MEMOIR_KIND_ANON, 2 * MIB);
	compare(w, MEMOIR_DIFF_PROCESS);
	assert_int_equal(w->diff.count, 2);
	expect_row(w, 0, MEMOIR_CHANGE_CAME, 2 * MIB);
	assert_false(w->diff.rows[0].before.present);
	assert_null(w->diff.rows[0].before.process);
	expect_row(w, 1, MEMOIR_CHANGE_WENT, -(int64_t)MIB);
	assert_false(w->diff.rows[1].after.present);
	assert_false(w->diff.rows[1].exec_known);
}

static void what_is_not_known_on_one_side_has_no_change(void **state)
{
	struct world *w = *state;
	const struct memoir_diff_row *row;

	add_process(w->before, 1, 7);
	add_region(w->before, MEMOIR_KIND_ANON, MIB)->figures.known = 1u << MEMOIR_RSS;
	add_process(w->after, 1, 7);
	add_region(w->after, MEMOIR_KIND_ANON, 2 * MIB);
	add_process(w->before, 2, 7)->readable = false;
	add_process(w->after, 2, 7);
	add_region(w->after, MEMOIR_KIND_ANON, MIB);
	compare(w, MEMOIR_DIFF_PROCESS);
	row = &w->diff.rows[0];
	assert_int_equal(pid_of(row), 1);
	assert_false(memoir_diff_delta(row, MEMOIR_PSS).known);
	expect_delta(memoir_diff_delta(row, MEMOIR_RSS), 2 * MIB);
	assert_false(memoir_diff_lead(row).known);
	assert_int_equal(row->change, MEMOIR_CHANGE_OTHER);
	row = &w->diff.rows[1];
	assert_int_equal(row->change, MEMOIR_CHANGE_UNKNOWN);
	assert_false(memoir_diff_delta(row, MEMOIR_RSS).known);
}

static void who_was_only_there_for_others_did_not_come(void **state)
{
	struct world *w = *state;

	for (pid_t pid = 1; pid <= 3; pid++) {
		add_process(w->before, pid, 7)->in_scope = pid == 3;
		add_region(w->before, MEMOIR_KIND_ANON, MIB);
		add_process(w->after, pid, 7)->in_scope = pid != 1;
		add_region(w->after, MEMOIR_KIND_ANON, MIB);
	}
	compare(w, MEMOIR_DIFF_PROCESS);
	assert_int_equal(w->diff.count, 2); /* nobody asked for pid 1 */
	expect_row(w, 0, MEMOIR_CHANGE_NONE, 0);
	assert_int_equal(pid_of(&w->diff.rows[0]), 3);
	assert_int_equal(w->diff.rows[1].change, MEMOIR_CHANGE_UNKNOWN);
	assert_int_equal(pid_of(&w->diff.rows[1]), 2);
}

static void memory_that_is_swapped_out_counts_where_it_went(void **state)
{
	struct world *w = *state;
	struct memoir_region *r;

	add_process(w->before, 1, 7);
	add_region(w->before, MEMOIR_KIND_ANON, MIB);
	add_process(w->after, 1, 7);
	r = add_region(w->after, MEMOIR_KIND_ANON, MIB);
	r->figures.bytes[MEMOIR_SWAP_PSS] = 4 * MIB;
	compare(w, MEMOIR_DIFF_PROCESS);
	expect_row(w, 0, MEMOIR_CHANGE_GREW, 0);
	expect_delta(memoir_diff_lead(&w->diff.rows[0]), 4 * MIB);
}

static void other_figures_make_another_change(void **state)
{
	struct world *w = *state;
	uint64_t bytes;

	add_process(w->before, 1, 7)->page_table_known = true;
	add_process(w->after, 1, 7)->page_table_known = true;
	compare(w, MEMOIR_DIFF_PROCESS);
	expect_row(w, 0, MEMOIR_CHANGE_NONE, 0);
	w->after->processes[0].page_table_bytes = 8192;
	compare(w, MEMOIR_DIFF_PROCESS);
	expect_row(w, 0, MEMOIR_CHANGE_OTHER, 0);
	expect_delta(diff_delta_of(&w->diff.rows[0], DIFF_PAGE_TABLES), 8192);
	assert_false(memoir_diff_delta(&w->diff.rows[0], MEMOIR_FIGURES).known);
	w->after->processes[0].page_table_known = false;
	compare(w, MEMOIR_DIFF_PROCESS);
	assert_false(diff_delta_of(&w->diff.rows[0], DIFF_PAGE_TABLES).known);
	assert_false(diff_amount_of(&w->diff.rows[0].after, DIFF_PAGE_TABLES, &bytes));
	assert_false(diff_amount_of(&w->diff.rows[0].after, DIFF_AMOUNTS, &bytes));
}

/* Regions by kind and where they begin, in both; -1: there is none. */
struct exec_case {
	enum memoir_kind kind[2];
	int64_t before[2], after[2];
	int exec; /* -1: not known */
};

static void add_marks(struct memoir_snapshot *s, const enum memoir_kind kind[2],
		      const int64_t start[2])
{
	add_process(s, 1, 7);
	for (int i = 0; i < 2; i++) {
		if (start[i] < 0)
			continue;
		struct memoir_region *r = add_region(s, kind[i], 0);

		r->start = (uint64_t)start[i];
		r->end = r->start + 4096;
	}
}

static void exec_shows_by_what_it_moves(void **state)
{
	static const struct exec_case cases[] = {
		{ { MEMOIR_KIND_VDSO, MEMOIR_KIND_HEAP }, { 4096, 8192 }, { 4096, 8192 }, 0 },
		{ { MEMOIR_KIND_VDSO, MEMOIR_KIND_HEAP }, { 4096, 8192 }, { 8192, 8192 }, 1 },
		{ { MEMOIR_KIND_VDSO, MEMOIR_KIND_HEAP }, { 4096, 8192 }, { 4096, 4096 }, 1 },
		{ { MEMOIR_KIND_VDSO, MEMOIR_KIND_HEAP }, { 4096, -1 }, { 4096, 8192 }, 0 },
		{ { MEMOIR_KIND_VDSO, MEMOIR_KIND_HEAP }, { -1, 4096 }, { 4096, -1 }, -1 },
		{ { MEMOIR_KIND_VDSO, MEMOIR_KIND_STACK }, { 4096, 8192 }, { 4096, 4096 }, 0 },
		{ { MEMOIR_KIND_ANON, MEMOIR_KIND_STACK }, { 4096, 8192 }, { 8192, 8192 }, 0 },
		{ { MEMOIR_KIND_ANON, MEMOIR_KIND_STACK }, { 4096, 8192 }, { 4096, 4096 }, 1 },
		{ { MEMOIR_KIND_ANON, MEMOIR_KIND_FILE }, { 4096, 8192 }, { 8192, 4096 }, -1 },
		{ { MEMOIR_KIND_VDSO, MEMOIR_KIND_VDSO }, { 4096, 8192 }, { 4096, 16384 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		void *world;

		assert_int_equal(new_world(&world), 0);
		struct world *w = world;

		add_marks(w->before, cases[i].kind, cases[i].before);
		add_marks(w->after, cases[i].kind, cases[i].after);
		compare(w, MEMOIR_DIFF_PROCESS);
		assert_int_equal(w->diff.count, 1);
		if (w->diff.rows[0].exec_known != (cases[i].exec >= 0) ||
		    w->diff.rows[0].exec != (cases[i].exec == 1))
			fail_msg("case %zu", i);
		assert_int_equal(w->diff.rows[0].change == MEMOIR_CHANGE_OTHER, cases[i].exec == 1);
		free_world(&world);
	}
}

static void a_stack_that_grew_is_no_exec(void **state)
{
	struct world *w = *state;

	add_process(w->before, 1, 7);
	add_region(w->before, MEMOIR_KIND_STACK, 0);
	add_process(w->after, 1, 7);
	add_region(w->after, MEMOIR_KIND_STACK, MIB)->start -= 4096;
	compare(w, MEMOIR_DIFF_PROCESS);
	assert_true(w->diff.rows[0].exec_known);
	assert_false(w->diff.rows[0].exec);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void names_are_matched_with_their_kind_over_processes(void **state)
{
	struct world *w = *state;
	char other[] = "pool"; /* the same bytes elsewhere */

	add_process(w->before, 1, 7);
	add_region(w->before, MEMOIR_KIND_ANON, MIB)->name = "pool";
	add_region(w->before, MEMOIR_KIND_HEAP, MIB)->name = "pool";
	add_region(w->before, MEMOIR_KIND_HEAP, 0)->name = "moved";
	for (pid_t pid = 5; pid < 7; pid++) {
		add_process(w->after, pid, 9);
		add_region(w->after, MEMOIR_KIND_ANON, 4 * MIB)->name = other;
	}
	add_region(w->after, MEMOIR_KIND_ANON, 0)->name = "moved";
	compare(w, MEMOIR_DIFF_NAME);
	assert_int_equal(w->diff.count, 4);
	expect_row(w, 0, MEMOIR_CHANGE_GREW, 7 * MIB);
	assert_string_equal(w->diff.rows[0].name, "pool");
	assert_int_equal(w->diff.rows[0].kind, MEMOIR_KIND_ANON);
	assert_int_equal(w->diff.rows[0].before.processes, 1);
	assert_int_equal(w->diff.rows[0].after.processes, 2);
	assert_int_equal(w->diff.rows[0].after.regions, 2);
	expect_row(w, 1, MEMOIR_CHANGE_WENT, -(int64_t)MIB);
	assert_int_equal(w->diff.rows[1].kind, MEMOIR_KIND_HEAP);
	assert_false(w->diff.rows[1].exec_known);
	expect_row(w, 2, MEMOIR_CHANGE_CAME, 0);
	expect_row(w, 3, MEMOIR_CHANGE_WENT, 0);
}

/* ---- objects -------------------------------------------------------------------------------- */

static void objects_are_matched_by_id_and_the_rest_by_kind(void **state)
{
	struct world *w = *state;

	add_process(w->before, 1, 7);
	add_region(w->before, MEMOIR_KIND_FILE, MIB)->object =
		add_object(w->before, MEMOIR_KIND_FILE, 10);
	add_region(w->before, MEMOIR_KIND_HEAP, MIB);
	add_process(w->after, 1, 7);
	add_object(w->after, MEMOIR_KIND_FILE, 10);
	w->after->objects[0].alias = 2;
	for (int i = 0; i < 2; i++)
		add_region(w->after, MEMOIR_KIND_FILE, 4 * MIB)->object = 1;
	add_object(w->after, MEMOIR_KIND_FILE, 10);
	add_region(w->after, MEMOIR_KIND_FILE, 2 * MIB)->object = 0;
	add_region(w->after, MEMOIR_KIND_HEAP, 4 * MIB);
	compare(w, MEMOIR_DIFF_OBJECT);
	assert_int_equal(w->diff.count, 3);
	expect_row(w, 0, MEMOIR_CHANGE_GREW, 7 * MIB);
	assert_int_equal(w->diff.rows[0].after.object->inode, 10);
	assert_int_equal(w->diff.rows[0].before.object->inode, 10);
	assert_int_equal(w->diff.rows[0].after.processes, 1);
	expect_row(w, 1, MEMOIR_CHANGE_GREW, 3 * MIB);
	assert_null(w->diff.rows[1].after.object);
	assert_int_equal(w->diff.rows[1].kind, MEMOIR_KIND_HEAP);
	expect_row(w, 2, MEMOIR_CHANGE_CAME, 2 * MIB);
	assert_int_equal(w->diff.rows[2].after.object->alias, 2);
}

static void families_have_no_rows_of_their_own(void **state)
{
	struct world *w = *state;

	add_process(w->before, 1, 7);
	*snapshot_add_object(w->before) = (struct memoir_object){ .is_family = true, .inode = 3 };
	add_region(w->before, MEMOIR_KIND_ANON, MIB)->family = 0;
	add_process(w->after, 1, 7);
	*snapshot_add_object(w->after) = (struct memoir_object){ .is_family = true, .inode = 9 };
	add_region(w->after, MEMOIR_KIND_ANON, MIB)->family = 0;
	compare(w, MEMOIR_DIFF_OBJECT);
	assert_int_equal(w->diff.count, 1);
	expect_row(w, 0, MEMOIR_CHANGE_NONE, 0);
	assert_null(w->diff.rows[0].before.object);
}

static void hold(struct memoir_snapshot *s, uint32_t object)
{
	*snapshot_add_holder(s) = (struct memoir_holder){ .object = object, .fd = 3 };
}

static uint32_t add_resident(struct memoir_snapshot *s, enum memoir_kind kind, uint64_t inode,
			     enum memoir_fate fate, uint64_t resident_bytes)
{
	uint32_t i = add_object(s, kind, inode);

	s->objects[i].fate = fate;
	s->objects[i].resident_known = true;
	s->objects[i].resident_bytes = resident_bytes;
	return i;
}

static void what_is_only_held_open_counts_by_its_own_pages(void **state)
{
	struct world *w = *state;
	const struct memoir_diff_row *row;

	add_process(w->before, 1, 7);
	add_process(w->after, 1, 7);
	hold(w->before, add_resident(w->before, MEMOIR_KIND_MEMFD, 1, MEMOIR_FATE_FREED, MIB));
	hold(w->after, add_resident(w->after, MEMOIR_KIND_MEMFD, 1, MEMOIR_FATE_FREED, 9 * MIB));
	hold(w->before, add_resident(w->before, MEMOIR_KIND_MEMFD, 2, MEMOIR_FATE_FREED, 4 * MIB));
	hold(w->after, add_resident(w->after, MEMOIR_KIND_MEMFD, 3, MEMOIR_FATE_FREED, 2 * MIB));
	/* Nobody that was asked for has anything to do with it. */
	add_resident(w->after, MEMOIR_KIND_MEMFD, 4, MEMOIR_FATE_FREED, 16 * MIB);
	compare(w, MEMOIR_DIFF_OBJECT);
	assert_int_equal(w->diff.count, 3);
	row = w->diff.rows;
	expect_row(w, 0, MEMOIR_CHANGE_GREW, 0);
	expect_delta(memoir_diff_lead(&row[0]), 8 * MIB);
	expect_row(w, 1, MEMOIR_CHANGE_WENT, 0);
	expect_delta(diff_delta_of(&row[1], DIFF_RESIDENT), -4 * (int64_t)MIB);
	expect_row(w, 2, MEMOIR_CHANGE_CAME, 0);
	expect_delta(diff_delta_of(&row[2], DIFF_RESIDENT), 2 * MIB);
}

static void page_cache_of_what_nobody_maps_is_not_known(void **state)
{
	struct world *w = *state;

	add_process(w->before, 1, 7);
	add_region(w->before, MEMOIR_KIND_FILE, MIB)->object =
		add_resident(w->before, MEMOIR_KIND_FILE, 1, MEMOIR_FATE_RECLAIMABLE, 4 * MIB);
	add_process(w->after, 1, 7);
	/* Deleted now: before it may have had a name, and pages that nobody mapped. */
	add_region(w->after, MEMOIR_KIND_FILE, 2 * MIB)->object =
		add_resident(w->after, MEMOIR_KIND_FILE, 2, MEMOIR_FATE_FREED, 8 * MIB);
	compare(w, MEMOIR_DIFF_OBJECT);
	assert_int_equal(w->diff.count, 2);
	expect_row(w, 0, MEMOIR_CHANGE_CAME, 2 * MIB);
	assert_false(diff_delta_of(&w->diff.rows[0], DIFF_RESIDENT).known);
	expect_row(w, 1, MEMOIR_CHANGE_WENT, -(int64_t)MIB);
	assert_false(diff_delta_of(&w->diff.rows[1], DIFF_RESIDENT).known);
}

static void without_holders_nothing_is_known_to_be_freed(void **state)
{
	struct world *w = *state;

	add_process(w->before, 1, 7);
	add_process(w->after, 1, 7);
	hold(w->before, add_resident(w->before, MEMOIR_KIND_MEMFD, 1, MEMOIR_FATE_FREED, MIB));
	w->after->holders_known = false;
	compare(w, MEMOIR_DIFF_OBJECT);
	expect_row(w, 0, MEMOIR_CHANGE_WENT, 0);
	assert_false(diff_delta_of(&w->diff.rows[0], DIFF_RESIDENT).known);
}

static void an_object_that_others_still_hold_did_not_go(void **state)
{
	struct world *w = *state;

	add_process(w->before, 1, 7);
	hold(w->before, add_resident(w->before, MEMOIR_KIND_MEMFD, 1, MEMOIR_FATE_FREED, MIB));
	add_process(w->after, 1, 7)->in_scope = false;
	hold(w->after, add_resident(w->after, MEMOIR_KIND_MEMFD, 1, MEMOIR_FATE_FREED, MIB));
	compare(w, MEMOIR_DIFF_OBJECT);
	assert_int_equal(w->diff.count, 1);
	expect_row(w, 0, MEMOIR_CHANGE_NONE, 0);
}

static void objects_of_others_are_not_asked_for(void **state)
{
	struct world *w = *state;
	uint32_t held = add_resident(w->after, MEMOIR_KIND_MEMFD, 1, MEMOIR_FATE_FREED, MIB);
	uint32_t mapped = add_object(w->after, MEMOIR_KIND_FILE, 2);

	add_process(w->after, 1, 7)->in_scope = false;
	hold(w->after, held);
	add_region(w->after, MEMOIR_KIND_FILE, MIB)->object = mapped;
	compare(w, MEMOIR_DIFF_OBJECT);
	assert_int_equal(w->diff.count, 0);
	add_process(w->after, 2, 7);
	add_region(w->after, MEMOIR_KIND_FILE, 2 * MIB)->object = mapped;
	compare(w, MEMOIR_DIFF_OBJECT);
	assert_int_equal(w->diff.count, 1);
	expect_row(w, 0, MEMOIR_CHANGE_CAME, 2 * MIB);
}

/* ---- all ------------------------------------------------------------------------------------ */

static void each_way_adds_up_to_the_same(void **state)
{
	struct world *w = *state;

	for (pid_t pid = 1; pid < 9; pid++) {
		struct memoir_snapshot *s = pid % 3 ? w->after : w->before;
		enum memoir_kind kind = pid % 2 ? MEMOIR_KIND_ANON : MEMOIR_KIND_FILE;

		add_process(s, pid, 7);
		for (int i = 1; i < 5; i++) {
			struct memoir_region *r = add_region(s, kind, MIB * (uint64_t)(i * pid));

			r->object = i == 2 ? add_object(s, MEMOIR_KIND_FILE, (uint64_t)pid % 4)
					   : MEMOIR_NONE;
			r->name = i == 3 ? "pool" : NULL;
		}
	}
	for (unsigned int by = 0; by < MEMOIR_DIFF_WAYS; by++) {
		int64_t sum = 0;

		compare(w, by);
		for (size_t i = 0; i < w->diff.count; i++) {
			struct memoir_delta d = memoir_diff_delta(&w->diff.rows[i], MEMOIR_PSS);

			assert_true(d.known);
			sum += d.negative ? -(int64_t)d.bytes : (int64_t)d.bytes;
			assert_int_equal(w->diff.rows[i].by, by);
		}
		/* Ten MiB for each unit of pid: 3 + 6 before, 27 after. */
		assert_int_equal(sum, 180 * (int64_t)MIB);
	}
}

static void a_way_that_is_none_is_refused(void **state)
{
	struct world *w = *state;
	struct memoir_diff untouched = { .count = 5 };

	assert_int_equal(memoir_diff(w->before, w->after, MEMOIR_DIFF_WAYS, &untouched), -EINVAL);
	assert_int_equal(untouched.count, 5);
	assert_string_equal(memoir_diff_by_name(MEMOIR_DIFF_OBJECT), "object");
	assert_null(memoir_diff_by_name(MEMOIR_DIFF_WAYS));
	assert_null(memoir_change_name(MEMOIR_CHANGE_UNKNOWN));
	assert_string_equal(memoir_change_name(MEMOIR_CHANGE_OTHER), "other");
	assert_null(memoir_change_name(MEMOIR_CHANGES));
	memoir_diff_free(NULL);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, new_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(the_largest_changes_come_first_whichever_way),
		IN_WORLD(a_pid_used_again_is_another_process),
		IN_WORLD(what_is_not_known_on_one_side_has_no_change),
		IN_WORLD(who_was_only_there_for_others_did_not_come),
		IN_WORLD(memory_that_is_swapped_out_counts_where_it_went),
		IN_WORLD(other_figures_make_another_change),
		cmocka_unit_test(exec_shows_by_what_it_moves),
		IN_WORLD(a_stack_that_grew_is_no_exec),
		IN_WORLD(names_are_matched_with_their_kind_over_processes),
		IN_WORLD(objects_are_matched_by_id_and_the_rest_by_kind),
		IN_WORLD(families_have_no_rows_of_their_own),
		IN_WORLD(what_is_only_held_open_counts_by_its_own_pages),
		IN_WORLD(page_cache_of_what_nobody_maps_is_not_known),
		IN_WORLD(without_holders_nothing_is_known_to_be_freed),
		IN_WORLD(an_object_that_others_still_hold_did_not_go),
		IN_WORLD(objects_of_others_are_not_asked_for),
		IN_WORLD(each_way_adds_up_to_the_same),
		IN_WORLD(a_way_that_is_none_is_refused),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
