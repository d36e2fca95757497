// SPDX-License-Identifier: MIT
/*
 * Sharing, forks and footprints of small families made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <memoir/analysis.h>

#include "family.h"

/* ---- sharing -------------------------------------------------------------------------------- */

/* 10, its child 20, and 20's child 30: 5 MiB of all, 2 of the children, each has 1 of its own. */
static struct memoir_snapshot *forked_family(void)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t set = MEMOIR_NONE, regions[3];

	for (int i = 0; i < 3; i++) {
		the_process(s, add_process(s, 10 + i * 10))->ppid = i * 10;
		add_anon(s, MIB);
		regions[i] = (uint32_t)s->region_count - 1;
	}
	for (int i = 0; i < 3; i++)
		set = add_set(s, set, regions[i], i == 2 ? 5 * MIB : 0, i == 2 ? 5 * MIB : 0);
	set = add_set(s, MEMOIR_NONE, regions[1], 0, 0);
	add_set(s, set, regions[2], 2 * MIB, 2 * MIB);
	return s;
}

static void forks_stand_below_their_parents(void **state)
{
	struct memoir_snapshot *s = forked_family();
	struct memoir_sharing sharing;

	(void)state;
	assert_int_equal(memoir_sharing(s, NULL, &sharing), 0);
	assert_int_equal(sharing.process_count, 3);
	assert_int_equal(sharing.pair_count, 3);
	assert_int_equal(sharing.pairs[0].a->pid, 20);
	assert_int_equal(sharing.pairs[0].b->pid, 30);
	assert_int_equal(sharing.pairs[0].shared.shared_bytes, 7 * MIB);
	assert_int_equal(sharing.pairs[1].shared.shared_bytes, 5 * MIB);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(sharing.forks[i].process->pid, 10 + i * 10);
		assert_int_equal(sharing.forks[i].depth, i);
	}
	assert_null(sharing.forks[0].parent);
	assert_int_equal(sharing.forks[0].own_bytes, 6 * MIB);
	assert_int_equal(sharing.forks[1].shared.shared_anon_bytes, 5 * MIB);
	assert_int_equal(sharing.forks[1].own_bytes, 3 * MIB);
	assert_int_equal(sharing.forks[2].shared.shared_anon_bytes, 7 * MIB);
	assert_int_equal(sharing.forks[2].own_bytes, MIB);
	memoir_sharing_free(&sharing);
	memoir_snapshot_free(s);
}

/* What a process shares with those that were not asked for is an answer, too. */
static void one_process_is_paired_with_all_that_share_with_it(void **state)
{
	struct memoir_snapshot *s = forked_family();
	const char *selector = "pid:30";
	struct memoir_selection *selection = NULL;
	struct memoir_sharing sharing;

	(void)state;
	assert_int_equal(memoir_selection_parse(&selector, 1, &selection, NULL), 0);
	assert_int_equal(memoir_sharing(s, selection, &sharing), 0);
	assert_int_equal(sharing.process_count, 1);
	assert_int_equal(sharing.pair_count, 2);
	assert_int_equal(sharing.pairs[0].a->pid, 20);
	assert_int_equal(sharing.pairs[0].shared.shared_bytes, 7 * MIB);
	assert_int_equal(sharing.pairs[1].a->pid, 10);
	assert_int_equal(sharing.fork_count, 1);
	assert_int_equal(sharing.forks[0].depth, 0);
	assert_int_equal(sharing.forks[0].parent->pid, 20);
	assert_int_equal(sharing.forks[0].own_bytes, MIB);
	memoir_selection_free(selection);
	memoir_sharing_free(&sharing);
	memoir_snapshot_free(s);
}

static uint64_t pair_bytes(const struct memoir_sharing *sharing, pid_t a, pid_t b)
{
	for (size_t i = 0; i < sharing->pair_count; i++)
		if (sharing->pairs[i].a->pid == a && sharing->pairs[i].b->pid == b)
			return sharing->pairs[i].shared.shared_bytes;
	return 0;
}

/* Processes 0 to 129 share 1 MiB, and 62 to 64 and 127 to 128 another 2. */
static void any_number_of_processes_may_share(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t all = MEMOIR_NONE, some = MEMOIR_NONE;
	struct memoir_sharing sharing;

	(void)state;
	for (uint32_t i = 0; i < 130; i++) {
		bool of_some = (i >= 62 && i <= 64) || (i >= 127 && i <= 128);

		add_process(s, 1000 + (pid_t)i);
		all = add_set(s, all, add_region(s, MEMOIR_KIND_ANON, MEMOIR_NONE),
			      i == 129 ? MIB : 0, 0);
		if (of_some)
			some = add_set(s, some, add_region(s, MEMOIR_KIND_ANON, MEMOIR_NONE),
				       i == 128 ? 2 * MIB : 0, 0);
	}
	assert_int_equal(memoir_sharing(s, NULL, &sharing), 0);
	assert_int_equal(sharing.pair_count, 130 * 129 / 2);
	for (size_t i = 0; i < sharing.pair_count; i++)
		assert_true(i == 0 || sharing.pairs[i - 1].shared.shared_bytes >=
					      sharing.pairs[i].shared.shared_bytes);
	assert_int_equal(pair_bytes(&sharing, 1000, 1129), MIB);
	assert_int_equal(pair_bytes(&sharing, 1061, 1062), MIB);
	assert_int_equal(pair_bytes(&sharing, 1062, 1063), 3 * MIB);
	assert_int_equal(pair_bytes(&sharing, 1063, 1064), 3 * MIB);
	assert_int_equal(pair_bytes(&sharing, 1064, 1065), MIB);
	assert_int_equal(pair_bytes(&sharing, 1064, 1127), 3 * MIB);
	assert_int_equal(pair_bytes(&sharing, 1127, 1128), 3 * MIB);
	assert_int_equal(pair_bytes(&sharing, 1128, 1129), MIB);
	memoir_sharing_free(&sharing);
	memoir_snapshot_free(s);
}

#define MANY 200

struct many {
	struct memoir_snapshot *s;
	uint64_t bytes[MANY][MANY]; /* that the two share, the lower one first */
};

/* A set that any process is in or not, by one of its regions or by both. */
static void add_any_set(struct many *many, uint64_t ram_bytes)
{
	uint32_t set = MEMOIR_NONE, members[MANY], count = 0;
	int one_in = 1 + rand() % 8;

	for (uint32_t i = 0; i < MANY; i++) {
		if (rand() % one_in)
			continue;
		members[count++] = i;
		for (int r = rand() % 2; r >= 0; r--)
			set = add_set(many->s, set, i * 2 + (uint32_t)r, 0, 0);
	}
	if (set != MEMOIR_NONE)
		many->s->sets[set].ram_bytes = ram_bytes;
	for (uint32_t a = 0; a < count; a++)
		for (uint32_t b = a + 1; b < count; b++)
			many->bytes[members[a]][members[b]] += ram_bytes;
}

static void make_many(struct many *many)
{
	many->s = new_snapshot();
	memset(many->bytes, 0, sizeof(many->bytes));
	for (uint32_t i = 0; i < MANY; i++) {
		the_process(many->s, add_process(many->s, 1000 + (pid_t)i))->ppid =
			1000 + rand() % MANY;
		add_region(many->s, MEMOIR_KIND_ANON, MEMOIR_NONE);
		add_region(many->s, MEMOIR_KIND_ANON, MEMOIR_NONE);
	}
	for (uint64_t i = 1; i <= 40; i++)
		add_any_set(many, i * 4096);
}

/* Takes off what was said, and looks for what was not. */
static void expect_many(struct many *many, const struct memoir_sharing *sharing,
			const uint8_t *last)
{
	for (size_t i = 0; i < sharing->pair_count; i++) {
		const struct memoir_sharing_pair *pair = &sharing->pairs[i];
		uint64_t *bytes =
			&many->bytes[pair->a - many->s->processes][pair->b - many->s->processes];

		assert_true(i == 0 || pair[-1].shared.shared_bytes >= pair->shared.shared_bytes);
		assert_int_not_equal(pair->shared.shared_bytes, 0);
		assert_int_equal(pair->shared.shared_bytes, *bytes);
		*bytes = 0;
	}
	for (uint32_t a = 0; a < MANY; a++)
		for (uint32_t b = a + 1; b < MANY; b++)
			assert_true(!many->bytes[a][b] || (!last[a % 10] && !last[b % 10]));
}

static void sets_of_any_processes_add_up(void **state)
{
	static const struct {
		const char *selector;
		uint8_t last[10]; /* digit of the pid, where it is meant */
	} meant[] = {
		{ "pid:*", { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 } },
		{ "pid:*[13-5]", { [1] = 1, [3] = 1, [4] = 1, [5] = 1 } },
	};
	static struct many many;

	(void)state;
	for (unsigned int seed = 1; seed <= 30; seed++) {
		const char *selector = meant[seed % 2].selector;
		struct memoir_selection *selection = NULL;
		struct memoir_sharing sharing;

		srand(seed);
		make_many(&many);
		assert_int_equal(memoir_selection_parse(&selector, 1, &selection, NULL), 0);
		assert_int_equal(memoir_sharing(many.s, selection, &sharing), 0);
		expect_many(&many, &sharing, meant[seed % 2].last);
		memoir_selection_free(selection);
		memoir_sharing_free(&sharing);
		memoir_snapshot_free(many.s);
	}
}

/* A file may say that two processes are each other's parents. */
static void parents_in_a_circle_do_no_harm(void **state)
{
	struct memoir_snapshot *s = forked_family();
	struct memoir_sharing sharing;

	(void)state;
	s->processes[0].ppid = 30;
	assert_int_equal(memoir_sharing(s, NULL, &sharing), 0);
	assert_int_equal(sharing.pair_count, 3);
	assert_true(sharing.fork_count <= 3);
	memoir_sharing_free(&sharing);
	memoir_snapshot_free(s);
}

/* ---- footprints ----------------------------------------------------------------------------- */

/* As `ps` asks: shares by mappings. */
static void without_sets_footprints_go_by_pss_and_what_is_sole(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	uint32_t memfd = add_object(s, MEMOIR_KIND_MEMFD, MEMOIR_FATE_FREED, 4 * MIB);
	struct memoir_footprint *footprints;

	(void)state;
	s->sets_known = false;
	add_process(s, 10);
	map_object(s, memfd, 2 * MIB);
	s->regions[0].figures.bytes[MEMOIR_PSS] = 2 * MIB;
	s->processes[0].sole_anon_bytes = 5 * MIB;
	hold(s, memfd, add_process(s, 20));
	footprints = footprints_of(s);
	assert_non_null(footprints);
	assert_true(footprints[0].footprint_known && footprints[0].freed_if_killed_known);
	assert_int_equal(footprints[0].footprint_bytes, 3 * MIB);
	assert_int_equal(footprints[0].freed_if_killed_bytes, 5 * MIB);
	assert_int_equal(footprints[1].footprint_bytes, MIB);
	assert_int_equal(footprints[1].freed_if_killed_bytes, 0);
	free(footprints);
	memoir_snapshot_free(s);
}

static void a_process_out_of_scope_has_no_footprint(void **state)
{
	struct memoir_snapshot *s = new_snapshot();
	struct memoir_footprint *footprints;

	(void)state;
	the_process(s, add_process(s, 10))->in_scope = false;
	the_process(s, add_process(s, 20))->readable = false;
	footprints = footprints_of(s);
	assert_non_null(footprints);
	for (int i = 0; i < 2; i++)
		assert_false(footprints[i].footprint_known || footprints[i].freed_if_killed_known);
	free(footprints);
	memoir_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forks_stand_below_their_parents),
		cmocka_unit_test(one_process_is_paired_with_all_that_share_with_it),
		cmocka_unit_test(any_number_of_processes_may_share),
		cmocka_unit_test(sets_of_any_processes_add_up),
		cmocka_unit_test(parents_in_a_circle_do_no_harm),
		cmocka_unit_test(without_sets_footprints_go_by_pss_and_what_is_sole),
		cmocka_unit_test(a_process_out_of_scope_has_no_footprint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
