// SPDX-License-Identifier: MIT
/*
 * Names in groups: where names are cut, and that what a group frees is what only it maps, against a search
 * of all members of every set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memoir/analysis.h>

#include "snapshot/model.h"

static struct memoir_region *add_region(struct memoir_snapshot *s, const char *name,
					enum memoir_name_source source)
{
	struct memoir_region *region = snapshot_add_region(s);

	region->kind = source == MEMOIR_NAME_PATH ? MEMOIR_KIND_FILE : MEMOIR_KIND_ANON;
	region->name = source == MEMOIR_NAME_PATH ? NULL : name;
	region->path = source == MEMOIR_NAME_PATH ? name : NULL;
	region->name_source = source == MEMOIR_NAME_PATH ? MEMOIR_NAME_NONE : (uint8_t)source;
	region->process = (uint32_t)s->process_count - 1;
	region->object = region->family = MEMOIR_NONE;
	region->figures.known = (1u << MEMOIR_FIGURES) - 1;
	s->processes[region->process].region_count++;
	return region;
}

static void add_process(struct memoir_snapshot *s)
{
	struct memoir_process *process = snapshot_add_process(s);

	process->pid = (pid_t)s->process_count;
	process->in_scope = true;
	process->first_region = (uint32_t)s->region_count;
}

/* The paths of all nodes, groups with a '*', indented by their depth. */
static char *draw(const char *const *names, enum memoir_name_source source)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_name_tree tree;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	add_process(s);
	for (; *names; names++)
		add_region(s, *names, source);
	assert_int_equal(memoir_names_tree(s, NULL, &tree), 0);
	for (size_t i = 0; i < tree.count; i++) {
		const struct memoir_name_node *node = &tree.nodes[i];

		fprintf(to, "%.*s%s%s|", (int)node->depth, "......", node->sum.name,
			node->is_name ? "" : "*");
		/* What stands from the top down to it is its path. */
		if (node->parent != MEMOIR_NONE) {
			const char *above = tree.nodes[node->parent].path;

			assert_true(node->parent < i);
			assert_memory_equal(node->path, above, strlen(above));
			assert_string_equal(node->path + strlen(above), node->sum.name);
		}
	}
	fclose(to);
	memoir_name_tree_free(&tree);
	memoir_snapshot_free(s);
	return text;
}

#define CHECK(source, drawn, ...)                                  \
	do {                                                       \
		const char *const names[] = { __VA_ARGS__, NULL }; \
		char *text = draw(names, source);                  \
                                                                   \
		assert_string_equal(text, drawn);                  \
		free(text);                                        \
	} while (0)

static void names_are_cut_behind_what_parts_them(void **state)
{
	(void)state;
	CHECK(MEMOIR_NAME_TABLE, "a:*|.b|.c|", "a:c", "a:b");
	CHECK(MEMOIR_NAME_TABLE, "a: *|.b|.c|", "a: c", "a: b");
	CHECK(MEMOIR_NAME_TABLE, "a-*|.b|.c:d|", "a-b", "a-c:d");
	CHECK(MEMOIR_NAME_TABLE, "a|a b|a:b|", "a", "a:b", "a b"); /* kinds of cuts are apart */
	/* Only the first part is cut at all of them. */
	CHECK(MEMOIR_NAME_TABLE, "a-*|.b c|.b d|", "a-b c", "a-b d");
	CHECK(MEMOIR_NAME_TABLE, "a-b:*|.c|.d|", "a-b:c", "a-b:d");
	CHECK(MEMOIR_NAME_TABLE, "a:*|.b::*|..c|..d|.e|", "a:b::c", "a:b::d", "a:e");
}

static void a_group_has_two_names_at_least(void **state)
{
	(void)state;
	CHECK(MEMOIR_NAME_TABLE, "a:b:c|", "a:b:c");
	CHECK(MEMOIR_NAME_TABLE, "a:b:*|.c|.d|", "a:b:c", "a:b:d");
	CHECK(MEMOIR_NAME_TABLE, "a:*|.b:*|..c|..d|.e|", "a:b:c", "a:b:d", "a:e");
}

static void what_has_no_parts_is_whole(void **state)
{
	(void)state;
	CHECK(MEMOIR_NAME_TABLE, "", NULL);
	CHECK(MEMOIR_NAME_TABLE, "|:|::|a:|", "", ":", "::", "a:");
	CHECK(MEMOIR_NAME_TABLE, " Go: *|.heap|.stack|", " Go: heap", " Go: stack");
}

static void paths_are_cut_at_directories(void **state)
{
	(void)state;
	CHECK(MEMOIR_NAME_PATH, "/usr/*|.bin/x|.lib/*|..a-1.so|..a-2.so|", "/usr/lib/a-1.so",
	      "/usr/lib/a-2.so", "/usr/bin/x");
	CHECK(MEMOIR_NAME_PATH, "/|/a|/b|", "/", "/a", "/b");
	CHECK(MEMOIR_NAME_PATH, "//*|.a|.b|", "//a", "//b");
}

static void the_deepest_group_is_not_too_deep(void **state)
{
	char a[4096] = "", b[4096] = "";
	const char *names[256];
	size_t count = 0;

	(void)state;
	/* Each is one level deeper than the one before, and all begin alike. */
	for (int i = 0; i < 200; i++) {
		memcpy(a + 2 * (size_t)i, "/d", sizeof("/d"));
		snprintf(b, sizeof(b), "%s/%d", a, i);
		names[count++] = strdup(b);
	}
	names[count] = NULL;
	char *text = draw(names, MEMOIR_NAME_PATH);

	assert_non_null(strstr(text, "/d/199|"));
	free(text);
	while (count)
		free((char *)names[--count]);
}

static void processes_of_a_group_count_once(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_name_tree tree;

	(void)state;
	for (int i = 0; i < 2; i++) {
		add_process(s);
		add_region(s, "a:b", MEMOIR_NAME_KERNEL);
		add_region(s, "a:c", i ? MEMOIR_NAME_KERNEL : MEMOIR_NAME_PRCTL);
		add_region(s, "a:b", MEMOIR_NAME_KERNEL);
	}
	assert_int_equal(memoir_names_tree(s, NULL, &tree), 0);
	assert_int_equal(tree.count, 3);
	assert_int_equal(tree.nodes[0].sum.processes, 2);
	assert_int_equal(tree.nodes[0].sum.regions, 6);
	assert_int_equal(tree.nodes[0].children, 2);
	assert_true(tree.nodes[0].kind_known);
	assert_false(tree.nodes[0].source_known);
	assert_false(tree.nodes[0].sum.freed_known);
	assert_true(tree.nodes[1].sum.id == memoir_name_id("a:b"));
	memoir_name_tree_free(&tree);
	memoir_snapshot_free(s);
}

/* ---- freed ---------------------------------------------------------------------------------- */

static bool is_below(const struct memoir_region *region, const struct memoir_name_node *node)
{
	return node->is_name ? strcmp(region->name, node->path) == 0
			     : strncmp(region->name, node->path, strlen(node->path)) == 0;
}

static uint64_t freed_by_search(const struct memoir_snapshot *s,
				const struct memoir_name_node *node)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->region_count; i++)
		if (is_below(&s->regions[i], node))
			bytes += s->regions[i].own_anon_bytes;
	for (size_t i = 0; i < s->set_count; i++) {
		bool all = true;

		for (uint32_t at = (uint32_t)i; at != MEMOIR_NONE; at = s->sets[at].parent)
			all &= is_below(&s->regions[s->sets[at].region], node);
		if (all && !s->sets[i].of_object)
			bytes += s->sets[i].freed_bytes;
	}
	return bytes;
}

static struct memoir_snapshot *random_snapshot(void)
{
	static const char *const names[] = { "a:b:c", "a:b:d", "a:e", "f-g", "f-h", "i" };
	struct memoir_snapshot *s = snapshot_new();

	s->engine = MEMOIR_ENGINE_TABLES;
	s->sets_known = s->holders_known = true;
	for (int process = 0; process < 5; process++) {
		add_process(s);
		for (int i = 0; i < 6; i++)
			add_region(s, names[random() % 6], MEMOIR_NAME_KERNEL)->own_anon_bytes =
				(uint64_t)random() % 1000;
	}
	for (int i = 0; i < 60; i++) {
		struct memoir_set *set = snapshot_add_set(s);

		*set = (struct memoir_set){
			.parent = i && random() % 4 ? (uint32_t)(random() % i) : MEMOIR_NONE,
			.region = (uint32_t)random() % (uint32_t)s->region_count,
			.of_object = random() % 5 == 0,
			.freed_bytes = (uint64_t)random() % 1000,
		};
	}
	return s;
}

static void what_a_name_or_a_group_frees_is_what_only_it_maps(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 200; seed++) {
		struct memoir_name_tree tree;
		struct memoir_name_sums sums;

		srandom(seed);
		struct memoir_snapshot *s = random_snapshot();

		assert_int_equal(memoir_names_tree(s, NULL, &tree), 0);
		for (size_t i = 0; i < tree.count; i++) {
			assert_true(tree.nodes[i].sum.freed_known);
			assert_int_equal(tree.nodes[i].sum.freed_bytes,
					 freed_by_search(s, &tree.nodes[i]));
		}
		assert_int_equal(memoir_names_sum(s, NULL, &sums), 0);
		for (size_t i = 0; i < sums.count; i++)
			for (size_t k = 0; k < tree.count; k++)
				if (tree.nodes[k].is_name &&
				    strcmp(tree.nodes[k].path, sums.rows[i].name) == 0)
					assert_int_equal(tree.nodes[k].sum.freed_bytes,
							 sums.rows[i].freed_bytes);
		memoir_name_sums_free(&sums);
		memoir_name_tree_free(&tree);
		memoir_snapshot_free(s);
	}
}

/* A shared object: two names map it, or one and an fd. */
static void an_object_goes_with_its_last_holder(void **state)
{
	for (int holders = 0; holders < 3; holders++) {
		struct memoir_snapshot *s = snapshot_new();
		struct memoir_object *object;
		struct memoir_name_sums sums;

		(void)state;
		s->engine = MEMOIR_ENGINE_TABLES;
		s->sets_known = s->holders_known = true;
		object = snapshot_add_object(s);
		*object = (struct memoir_object){ .kind = MEMOIR_KIND_SHARED_ANON,
						  .fate = MEMOIR_FATE_FREED,
						  .resident_known = true,
						  .resident_bytes = 4096,
						  .mapped_bytes = 4096 };
		add_process(s);
		add_region(s, "x", MEMOIR_NAME_KERNEL)->object = 0;
		add_region(s, "x", MEMOIR_NAME_KERNEL)->object = 0;
		if (holders == 1)
			add_region(s, "y", MEMOIR_NAME_KERNEL)->object = 0;
		if (holders == 2)
			*snapshot_add_holder(s) = (struct memoir_holder){ 0, 0, 3 };
		assert_int_equal(memoir_names_sum(s, NULL, &sums), 0);
		for (size_t i = 0; i < sums.count; i++)
			assert_int_equal(sums.rows[i].freed_bytes, holders ? 0 : 4096);
		memoir_name_sums_free(&sums);
		memoir_snapshot_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_cut_behind_what_parts_them),
		cmocka_unit_test(a_group_has_two_names_at_least),
		cmocka_unit_test(what_has_no_parts_is_whole),
		cmocka_unit_test(paths_are_cut_at_directories),
		cmocka_unit_test(the_deepest_group_is_not_too_deep),
		cmocka_unit_test(processes_of_a_group_count_once),
		cmocka_unit_test(what_a_name_or_a_group_frees_is_what_only_it_maps),
		cmocka_unit_test(an_object_goes_with_its_last_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
