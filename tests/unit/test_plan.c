// SPDX-License-Identifier: MIT
/*
 * Plans for small families made by hand: what can move, what stays and why, and limits. This process plays all of
 * them, so that there is one to ask; where pages have to be looked at, they are its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memoir/hint.h>

#include "family.h"
#include "kernel/process.h"
#include "kernel/root.h"

struct made {
	struct memoir *memoir;
	struct memoir_snapshot *s;
	char *memory; /* of the first region */
};

static uint64_t start_ticks(void)
{
	struct process_stat stat;
	struct kroot *root;

	assert_int_equal(kroot_open(NULL, &root), 0);
	assert_int_equal(process_stat(root, getpid(), &stat), 0);
	kroot_close(root);
	return stat.start_ticks;
}

/* A region of this process: 4 MiB that are there. */
static void add_memory(struct made *m, enum memoir_kind kind, uint64_t anon, uint64_t shared,
		       uint64_t swap)
{
	uint32_t index = add_region(m->s, kind, MEMOIR_NONE);
	struct memoir_region *region = the_region(m->s, index);
	char *memory =
		mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	memset(memory, 1, 4 * MIB);
	if (!m->memory)
		m->memory = memory;
	region->start = (uintptr_t)memory;
	region->end = (uintptr_t)memory + 4 * MIB;
	memcpy(region->perms, "rw-p", 5);
	region->own_anon_bytes = anon;
	region->figures.known = ~0u;
	region->figures.bytes[MEMOIR_RSS] = anon + shared;
	region->figures.bytes[MEMOIR_USS] = anon;
	region->figures.bytes[MEMOIR_ANON] = anon + shared;
	region->figures.bytes[MEMOIR_SWAP] = swap;
}

static struct made make(void)
{
	struct made m = { .s = new_snapshot() };

	assert_int_equal(memoir_open(NULL, &m.memoir, NULL), 0);
	add_process(m.s, getpid());
	m.s->processes[0].start_ticks = start_ticks();
	assert_int_equal(snapshot_add_meminfo(m.s, "SwapFree", 1024 * MIB), 0);
	return m;
}

static struct memoir_plan *plan_by(struct made *m, const char *selector,
				   const struct memoir_plan_options *options)
{
	struct memoir_selection *selection;
	struct memoir_error error = { 0 };
	struct memoir_plan *plan = NULL;

	assert_int_equal(memoir_selection_parse(&selector, 1, &selection, &error), 0);
	assert_int_equal(memoir_plan(m->memoir, m->s, selection, options, &plan, &error), 0);
	memoir_selection_free(selection);
	assert_int_equal(plan->process_count, 1);
	return plan;
}

static struct memoir_plan *plan_with(struct made *m, const struct memoir_plan_options *options)
{
	char selector[32];

	snprintf(selector, sizeof(selector), "%d", (int)getpid());
	return plan_by(m, selector, options);
}

static void finish(struct made *m, struct memoir_plan *plan)
{
	memoir_plan_free(plan);
	for (size_t i = 0; i < m->s->region_count; i++)
		munmap((void *)(uintptr_t)m->s->regions[i].start,
		       m->s->regions[i].end - m->s->regions[i].start);
	memoir_snapshot_free(m->s);
	memoir_close(m->memoir);
}

static uint64_t skipped(const struct memoir_plan *plan, enum memoir_skip why)
{
	return plan->processes[0].skipped_bytes[why];
}

static void what_is_mapped_once_moves_and_the_rest_has_a_reason(void **state)
{
	struct made m = make();
	struct memoir_plan *plan;

	(void)state;
	add_memory(&m, MEMOIR_KIND_ANON, 3 * MIB, MIB, 2 * MIB);
	add_memory(&m, MEMOIR_KIND_HUGETLB, 0, 0, 0);
	m.s->regions[1].figures.bytes[MEMOIR_HUGETLB] = 2 * MIB;
	add_memory(&m, MEMOIR_KIND_DEVICE, 0, 0, 0);
	plan = plan_with(&m, NULL);
	assert_int_equal(plan->hint, MEMOIR_HINT_PAGEOUT);
	assert_int_equal(plan->planned_bytes, 3 * MIB);
	assert_int_equal(plan->swap_needed_bytes, 3 * MIB);
	assert_int_equal(plan->range_count, 1);
	assert_int_equal(skipped(plan, MEMOIR_SKIP_SHARED), MIB);
	assert_int_equal(skipped(plan, MEMOIR_SKIP_OUT), 2 * MIB);
	assert_int_equal(skipped(plan, MEMOIR_SKIP_HUGETLB), 2 * MIB);
	assert_int_equal(skipped(plan, MEMOIR_SKIP_PFNMAP), 4 * MIB);
	finish(&m, plan);
}

static void a_set_of_one_moves_but_for_folios_that_others_keep(void **state)
{
	struct made m = make();
	struct memoir_plan *plan;

	(void)state;
	add_memory(&m, MEMOIR_KIND_ANON, MIB, 3 * MIB, 0);
	add_set(m.s, MEMOIR_NONE, 0, 2 * MIB, MIB);
	plan = plan_with(&m, NULL);
	assert_int_equal(plan->planned_bytes, 2 * MIB);
	finish(&m, plan);
}

static void a_limit_cuts_the_last_range_to_the_page(void **state)
{
	struct memoir_plan_options options = { .sz = sizeof(options),
					       .hint = MEMOIR_HINT_PAGEOUT,
					       .max_bytes = 5 * MIB + 100 };
	struct made m = make();
	struct memoir_plan *plan;

	(void)state;
	add_memory(&m, MEMOIR_KIND_ANON, 4 * MIB, 0, 0);
	add_memory(&m, MEMOIR_KIND_ANON, 4 * MIB, 0, 0);
	plan = plan_with(&m, &options);
	assert_int_equal(plan->planned_bytes, 5 * MIB);
	assert_int_equal(plan->ranges[1].end - plan->ranges[1].start, MIB);
	assert_int_equal(skipped(plan, MEMOIR_SKIP_LIMIT), 3 * MIB);
	finish(&m, plan);
}

static void no_more_is_planned_than_there_is_swap_for(void **state)
{
	struct made m = make();
	struct memoir_plan *plan;

	(void)state;
	m.s->meminfo[0].bytes = MIB;
	add_memory(&m, MEMOIR_KIND_ANON, 4 * MIB, 0, 0);
	plan = plan_with(&m, NULL);
	assert_int_equal(plan->planned_bytes, MIB);
	assert_int_equal(skipped(plan, MEMOIR_SKIP_NO_SWAP), 3 * MIB);
	memoir_plan_free(plan);
	/* What stays in RAM needs none. */
	plan = plan_with(&m,
			 &(struct memoir_plan_options){ .sz = sizeof(struct memoir_plan_options),
							.hint = MEMOIR_HINT_COLD });
	assert_int_equal(plan->planned_bytes, 4 * MIB);
	finish(&m, plan);
}

static void a_range_is_cut_to_whole_pages(void **state)
{
	struct made m = make();
	struct memoir_plan *plan;
	char selector[96];

	(void)state;
	add_memory(&m, MEMOIR_KIND_ANON, 4 * MIB, 0, 0);
	snprintf(selector, sizeof(selector), "%d:%lx-%lx", (int)getpid(),
		 (unsigned long)m.memory + 1, (unsigned long)m.memory + 0x5001);
	plan = plan_by(&m, selector, NULL);
	assert_int_equal(plan->range_count, 1);
	assert_int_equal(plan->ranges[0].start, (uintptr_t)m.memory + 0x1000);
	assert_int_equal(plan->ranges[0].end, (uintptr_t)m.memory + 0x5000);
	assert_int_equal(plan->planned_bytes, 0x4000);
	finish(&m, plan);
}

static void what_is_locked_is_left_out(void **state)
{
	struct made m = make();
	struct memoir_plan *plan;

	(void)state;
	add_memory(&m, MEMOIR_KIND_ANON, 4 * MIB, 0, 0);
	/* By the call itself: sanitizers do nothing in mlock(). */
	if (syscall(SYS_mlock, m.memory, 4096) < 0)
		skip();
	plan = plan_with(&m, NULL);
	assert_int_equal(plan->planned_bytes, 0);
	assert_int_equal(skipped(plan, MEMOIR_SKIP_LOCKED), 4 * MIB);
	finish(&m, plan);
}

static void huge_pages_are_planned_where_there_is_room_for_them(void **state)
{
	struct memoir_plan_options options = { .sz = sizeof(options),
					       .hint = MEMOIR_HINT_COLLAPSE };
	struct made m = make();
	struct memoir_plan *plan;

	(void)state;
	add_memory(&m, MEMOIR_KIND_ANON, 4 * MIB, 0, 0);
	add_memory(&m, MEMOIR_KIND_FILE, 4 * MIB, 0, 0);
	plan = plan_with(&m, &options);
	assert_int_equal(plan->range_count, 1);
	assert_int_equal(plan->ranges[0].start % (2 * MIB), 0);
	assert_in_range(plan->planned_bytes, 2 * MIB, 4 * MIB);
	assert_int_equal(skipped(plan, MEMOIR_SKIP_UNFIT), 4 * MIB);
	finish(&m, plan);
}

static void a_hint_that_there_is_not_is_refused(void **state)
{
	struct memoir_plan_options options = { .sz = sizeof(options), .hint = MEMOIR_HINTS };
	struct memoir_plan *plan = NULL;
	struct made m = make();

	(void)state;
	assert_int_equal(memoir_plan(m.memoir, m.s, NULL, &options, &plan, NULL), -EINVAL);
	assert_null(plan);
	finish(&m, NULL);
}

static void what_moved_is_what_ranges_have_less(void **state)
{
	struct memoir_plan_range ranges[2] = { { .process = 0 }, { .process = 0 } };
	struct memoir_plan_process process = { .range_count = 2 };
	struct memoir_plan plan = { .hint = MEMOIR_HINT_PAGEOUT,
				    .process_count = 1,
				    .processes = &process,
				    .range_count = 2,
				    .ranges = ranges };
	struct memoir_residence before[2] = { { .known = true, .resident_bytes = 8192 },
					      { .known = true, .resident_bytes = 4096 } };
	struct memoir_residence after[2] = { { .known = true, .resident_bytes = 4096 },
					     { .known = true, .resident_bytes = 8192 } };
	struct memoir_moved moved;

	(void)state;
	memoir_plan_moved(&plan, 0, before, after, &moved);
	assert_true(moved.known);
	assert_int_equal(moved.moved_bytes, 4096);
	assert_int_equal(moved.moved_ranges, 1);
	after[1].known = false;
	memoir_plan_moved(&plan, 0, before, after, &moved);
	assert_false(moved.known);
	after[1].known = true;
	plan.hint = MEMOIR_HINT_COLD;
	memoir_plan_moved(&plan, 0, before, after, &moved);
	assert_false(moved.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_mapped_once_moves_and_the_rest_has_a_reason),
		cmocka_unit_test(a_set_of_one_moves_but_for_folios_that_others_keep),
		cmocka_unit_test(a_limit_cuts_the_last_range_to_the_page),
		cmocka_unit_test(no_more_is_planned_than_there_is_swap_for),
		cmocka_unit_test(a_range_is_cut_to_whole_pages),
		cmocka_unit_test(what_is_locked_is_left_out),
		cmocka_unit_test(huge_pages_are_planned_where_there_is_room_for_them),
		cmocka_unit_test(a_hint_that_there_is_not_is_refused),
		cmocka_unit_test(what_moved_is_what_ranges_have_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
