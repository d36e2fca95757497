// SPDX-License-Identifier: MIT
/*
 * Sums over a snapshot: figures and names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <memoir/analysis.h>

#include "snapshot/model.h"

static void add_process(struct memoir_snapshot *s, pid_t pid, bool in_scope)
{
	struct memoir_process *process = snapshot_add_process(s);

	process->pid = pid;
	process->comm = pid == 1 ? "one" : "other";
	process->in_scope = in_scope;
	process->first_region = (uint32_t)s->region_count;
}

/* A region of the process added last, with a PSS only. */
static struct memoir_region *add_region(struct memoir_snapshot *s, enum memoir_kind kind,
					const char *name, const char *path, uint64_t pss_bytes)
{
	struct memoir_region *region = snapshot_add_region(s);

	region->kind = (uint8_t)kind;
	region->name = name;
	region->name_source = name ? MEMOIR_NAME_KERNEL : MEMOIR_NAME_NONE;
	region->path = path;
	region->process = (uint32_t)s->process_count - 1;
	region->object = region->family = MEMOIR_NONE;
	region->figures.bytes[MEMOIR_PSS] = pss_bytes;
	region->figures.known = 1u << MEMOIR_PSS;
	s->processes[s->process_count - 1].region_count++;
	return region;
}

static const struct memoir_name_sum *find_sum(const struct memoir_name_sums *sums, const char *name,
					      enum memoir_kind kind)
{
	for (size_t i = 0; i < sums->count; i++)
		if (sums->rows[i].kind == kind && strcmp(sums->rows[i].name, name) == 0)
			return &sums->rows[i];
	fail_msg("there is no sum of %s", name);
	return NULL;
}

static struct memoir_name_sums sum(const struct memoir_snapshot *s, const char *selector)
{
	struct memoir_name_sums sums = { 0 };
	struct memoir_selection *selection = NULL;

	if (selector)
		assert_int_equal(memoir_selection_parse(&selector, 1, &selection, NULL), 0);
	assert_int_equal(memoir_names_sum(s, selection, &sums), 0);
	memoir_selection_free(selection);
	return sums;
}

static void figures_that_are_known_are_added_and_the_others_left_alone(void **state)
{
	struct memoir_figures total = { .bytes = { [MEMOIR_RSS] = 1 }, .known = 1u << MEMOIR_RSS };
	struct memoir_figures more = {
		.bytes = { [MEMOIR_RSS] = 2, [MEMOIR_USS] = 5, [MEMOIR_SWAP] = 9 },
		.known = 1u << MEMOIR_RSS | 1u << MEMOIR_USS
	};

	(void)state;
	memoir_figures_add(&total, &more);
	assert_int_equal(total.bytes[MEMOIR_RSS], 3);
	assert_int_equal(total.bytes[MEMOIR_USS], 5);
	assert_int_equal(total.bytes[MEMOIR_SWAP], 0);
	assert_int_equal(total.known, 1u << MEMOIR_RSS | 1u << MEMOIR_USS);
}

static void a_sum_that_does_not_fit_stays_at_the_largest_number(void **state)
{
	struct memoir_figures total = { .bytes = { UINT64_MAX - 1 }, .known = 1 };
	struct memoir_figures more = { .bytes = { 2 }, .known = 1 };

	(void)state;
	memoir_figures_add(&total, &more);
	assert_true(total.bytes[0] == UINT64_MAX);
}

/* Vectors of the XXH3 reference implementation. */
static void the_id_of_a_name_is_xxh3_of_its_bytes(void **state)
{
	(void)state;
	assert_true(memoir_name_id("") == UINT64_C(0x2d06800538d394c2));
	assert_true(memoir_name_id("a") == UINT64_C(0xe6c632b61e964e1f));
	assert_true(memoir_name_id("abc") == UINT64_C(0x78af5f94892f3950));
}

static void sums_go_by_the_string_over_all_processes(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	char same[] = "cache"; /* equal bytes at another place */

	(void)state;
	add_process(s, 1, true);
	add_region(s, MEMOIR_KIND_ANON, "cache", NULL, 100);
	add_region(s, MEMOIR_KIND_HEAP, NULL, "[heap]", 7);
	add_region(s, MEMOIR_KIND_ANON, same, NULL, 20);
	add_process(s, 2, true);
	add_region(s, MEMOIR_KIND_ANON, same, NULL, 3);
	add_region(s, MEMOIR_KIND_ANON, "cachet", NULL, 1000);

	struct memoir_name_sums sums = sum(s, NULL);
	const struct memoir_name_sum *cache = find_sum(&sums, "cache", MEMOIR_KIND_ANON);

	assert_int_equal(sums.count, 3);
	assert_int_equal(cache->processes, 2);
	assert_int_equal(cache->regions, 3);
	assert_int_equal(cache->figures.bytes[MEMOIR_PSS], 123);
	assert_int_equal(cache->figures.known, 1u << MEMOIR_PSS);
	assert_int_equal(cache->source, MEMOIR_NAME_KERNEL);
	assert_true(cache->id == memoir_name_id("cache"));
	assert_string_equal(sums.rows[0].name, "cachet");
	assert_string_equal(sums.rows[2].name, "[heap]");
	memoir_name_sums_free(&sums);
	memoir_snapshot_free(s);
}

static void one_string_of_two_kinds_is_two_sums(void **state)
{
	struct memoir_snapshot *s = snapshot_new();

	(void)state;
	add_process(s, 1, true);
	add_region(s, MEMOIR_KIND_ANON, "pool", NULL, 5);
	add_region(s, MEMOIR_KIND_SHARED_ANON, "pool", NULL, 5);

	struct memoir_name_sums sums = sum(s, NULL);

	assert_int_equal(sums.count, 2);
	/* Of equal size and name: the order is still always the same. */
	assert_int_equal(sums.rows[0].kind, MEMOIR_KIND_ANON);
	memoir_name_sums_free(&sums);
	memoir_snapshot_free(s);
}

static void files_go_by_the_path_of_their_object(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_object *object = snapshot_add_object(s);

	(void)state;
	object->path = "/lib/a.so";
	add_process(s, 1, true);
	add_region(s, MEMOIR_KIND_FILE, NULL, "/hardlink/a.so", 1)->object = 0;
	add_region(s, MEMOIR_KIND_FILE, NULL, "/lib/a.so", 2)->object = 0;
	add_region(s, MEMOIR_KIND_MEMFD, NULL, "/memfd:x (deleted)", 3);
	add_region(s, MEMOIR_KIND_FILE, "given", "/lib/a.so", 4)->object = 0;

	struct memoir_name_sums sums = sum(s, NULL);

	assert_int_equal(sums.count, 3);
	assert_int_equal(find_sum(&sums, "/lib/a.so", MEMOIR_KIND_FILE)->regions, 2);
	assert_int_equal(find_sum(&sums, "/lib/a.so", MEMOIR_KIND_FILE)->source, MEMOIR_NAME_PATH);
	assert_int_equal(find_sum(&sums, "/memfd:x (deleted)", MEMOIR_KIND_MEMFD)->source,
			 MEMOIR_NAME_PATH);
	assert_int_equal(find_sum(&sums, "given", MEMOIR_KIND_FILE)->source, MEMOIR_NAME_KERNEL);
	memoir_name_sums_free(&sums);
	memoir_snapshot_free(s);
}

static void what_has_no_name_goes_by_its_kind_in_brackets(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	char bracketed[64];

	(void)state;
	add_process(s, 1, true);
	for (int kind = 0; kind < MEMOIR_KINDS; kind++)
		add_region(s, (enum memoir_kind)kind, NULL, NULL, 1);

	struct memoir_name_sums sums = sum(s, NULL);

	assert_int_equal(sums.count, MEMOIR_KINDS);
	for (int kind = 0; kind < MEMOIR_KINDS; kind++) {
		snprintf(bracketed, sizeof(bracketed), "[%s]",
			 memoir_kind_name((enum memoir_kind)kind));
		assert_int_equal(find_sum(&sums, bracketed, (enum memoir_kind)kind)->source,
				 MEMOIR_NAME_NONE);
	}
	memoir_name_sums_free(&sums);
	memoir_snapshot_free(s);
}

static void only_what_is_selected_and_in_scope_is_summed(void **state)
{
	struct memoir_snapshot *s = snapshot_new();

	(void)state;
	add_process(s, 1, true);
	add_region(s, MEMOIR_KIND_ANON, "x", NULL, 1);
	add_region(s, MEMOIR_KIND_HEAP, NULL, NULL, 10);
	add_process(s, 2, false);
	add_region(s, MEMOIR_KIND_ANON, "x", NULL, 100);
	add_process(s, 3, true);
	add_region(s, MEMOIR_KIND_ANON, "x", NULL, 1000);

	struct memoir_name_sums all = sum(s, NULL), one = sum(s, "comm:one"),
				heap = sum(s, "kind:heap");

	assert_int_equal(find_sum(&all, "x", MEMOIR_KIND_ANON)->figures.bytes[MEMOIR_PSS], 1001);
	assert_int_equal(find_sum(&one, "x", MEMOIR_KIND_ANON)->figures.bytes[MEMOIR_PSS], 1);
	assert_int_equal(one.count, 2);
	assert_int_equal(heap.count, 1);
	assert_int_equal(heap.rows[0].processes, 1);
	memoir_name_sums_free(&all);
	memoir_name_sums_free(&one);
	memoir_name_sums_free(&heap);
	memoir_snapshot_free(s);
}

static void names_without_a_pss_come_last(void **state)
{
	struct memoir_snapshot *s = snapshot_new();

	(void)state;
	add_process(s, 1, true);
	add_region(s, MEMOIR_KIND_ANON, "unknown", NULL, 99)->figures.known = 0;
	add_region(s, MEMOIR_KIND_ANON, "zero", NULL, 0);

	struct memoir_name_sums sums = sum(s, NULL);

	assert_string_equal(sums.rows[0].name, "zero");
	assert_string_equal(sums.rows[1].name, "unknown");
	memoir_name_sums_free(&sums);
	memoir_name_sums_free(NULL);
	memoir_snapshot_free(s);
}

static void an_empty_snapshot_has_no_names(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_name_sums sums = sum(s, NULL);

	(void)state;
	assert_int_equal(sums.count, 0);
	memoir_name_sums_free(&sums);
	memoir_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_that_are_known_are_added_and_the_others_left_alone),
		cmocka_unit_test(a_sum_that_does_not_fit_stays_at_the_largest_number),
		cmocka_unit_test(the_id_of_a_name_is_xxh3_of_its_bytes),
		cmocka_unit_test(sums_go_by_the_string_over_all_processes),
		cmocka_unit_test(one_string_of_two_kinds_is_two_sums),
		cmocka_unit_test(files_go_by_the_path_of_their_object),
		cmocka_unit_test(what_has_no_name_goes_by_its_kind_in_brackets),
		cmocka_unit_test(only_what_is_selected_and_in_scope_is_summed),
		cmocka_unit_test(names_without_a_pss_come_last),
		cmocka_unit_test(an_empty_snapshot_has_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
