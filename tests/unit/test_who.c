// SPDX-License-Identifier: MIT
/*
 * Who maps it, as far as no kernel is asked: what can be asked, answers of a snapshot, and who is the
 * common ancestor. Live pages are for tests/live/test_who.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "snapshot/model.h"
#include "snapshot/who_answer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- targets -------------------------------------------------------------------------------- */

static struct memoir_target parsed(const char *text)
{
	struct memoir_target target = { 0 };
	struct memoir_error error = { 0 };

	assert_int_equal(memoir_target_parse(text, &target, &error), 0);
	return target;
}

static void each_way_to_ask_is_understood(void **state)
{
	struct memoir_target target = parsed("12:7f00dead0abc");

	(void)state;
	assert_int_equal(target.kind, MEMOIR_TARGET_PAGE);
	assert_int_equal(target.pid, 12);
	assert_int_equal(target.address, 0x7f00dead0abc);
	assert_int_equal(parsed("12:0x1000").address, 0x1000);
	assert_int_equal(parsed("pfn:256").frame, 256);
	assert_int_equal(parsed("pfn:0x100").frame, 256);
	assert_int_equal(parsed("pfn:0x100").kind, MEMOIR_TARGET_FRAME);
	assert_int_equal(parsed("/a").kind, MEMOIR_TARGET_PATH);
	assert_string_equal(parsed("12:3/a").text, "12:3/a");
	assert_int_equal(parsed("name:a/b").kind, MEMOIR_TARGET_NAME);
	assert_string_equal(parsed("name:a/b").text, "a/b");
	assert_int_equal(parsed("object:file:fe:01:131").kind, MEMOIR_TARGET_OBJECT);
	assert_string_equal(parsed("object:file:fe:01:131").text, "file:fe:01:131");
	target = parsed("1:1000");
	assert_true(memoir_target_is_page(&target));
	target = parsed("/a");
	assert_false(memoir_target_is_page(&target));
}

static void what_cannot_be_asked_is_named(void **state)
{
	static const char *const bad[] = {
		"",
		"12",
		"12:",
		"12:xyz",
		"12:1000-2000",
		":1000",
		"0:1000",
		"-1:10",
		"pfn:",
		"pfn:x",
		"pfn:-1",
		"pfn: 1",
		"name:",
		"object:",
		"a b",
		"12:+1",
		"12: 100",
		"pfn:0x",
		"pfn:12a",
		"comm:x",
		"1 2:1000",
		"99999999999999999999:10",
		"4294967297:1000",
		"12:10000000000000000",
		"pfn:18446744073709551616",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct memoir_target target = { .frame = 77 };
		struct memoir_error error = { 0 };

		assert_int_equal(memoir_target_parse(bad[i], &target, &error), -EINVAL);
		assert_int_equal(error.code, -EINVAL);
		assert_non_null(strstr(error.text, bad[i]));
		assert_int_equal(target.frame, 77);
	}
}

/* ---- ancestors ------------------------------------------------------------------------------ */

/*
 * 1 ── 10 ─┬─ 11 ─┬─ 12
 *          │      └─ 13
 *          └─ 14
 */
struct tree {
	pid_t family[6];
	size_t count;
};

static pid_t parent(pid_t pid, void *arg)
{
	static const pid_t parents[][2] = { { 10, 1 },  { 11, 10 }, { 12, 11 }, { 13, 11 },
					    { 14, 10 }, { 20, 21 }, { 21, 20 } };

	(void)arg;
	for (size_t i = 0; i < COUNT(parents); i++)
		if (parents[i][0] == pid)
			return parents[i][1];
	return 0;
}

static bool is_family(pid_t pid, void *arg)
{
	const struct tree *tree = arg;

	for (size_t i = 0; i < tree->count; i++)
		if (tree->family[i] == pid)
			return true;
	return false;
}

static pid_t ancestor(struct tree *tree, const pid_t *members, size_t count)
{
	return who_common_ancestor(members, count, is_family, parent, tree);
}

static void the_ancestor_is_the_nearest_of_the_family(void **state)
{
	struct tree all = { { 10, 11, 12, 13, 14 }, 5 }, gone = { { 10, 12, 13, 14 }, 4 };
	struct tree orphans = { { 12, 14 }, 2 };
	const pid_t siblings[] = { 13, 12 }, line[] = { 12, 11 }, cousins[] = { 14, 12 };
	const pid_t with_top[] = { 12, 10, 14, 11 }, strangers[] = { 12, 99 },
		    circle[] = { 20, 12 };

	(void)state;
	assert_int_equal(ancestor(&all, siblings, 2), 11);
	assert_int_equal(ancestor(&all, line, 2), 11);
	assert_int_equal(ancestor(&all, cousins, 2), 10);
	assert_int_equal(ancestor(&all, with_top, 4), 10);
	/* Their parent has gone on to another program: its own parent is of the family. */
	assert_int_equal(ancestor(&gone, siblings, 2), 10);
	assert_int_equal(ancestor(&orphans, cousins, 2), 0);
	assert_int_equal(ancestor(&all, strangers, 2), 0);
	/* A /proc that is read while it changes may lead in circles. */
	assert_int_equal(ancestor(&all, circle, 2), 0);
	assert_int_equal(ancestor(&all, siblings, 1), 13);
	assert_int_equal(ancestor(&all, NULL, 0), 0);
}

static void a_page_is_where_its_index_says(void **state)
{
	uint64_t address = 7;

	(void)state;
	assert_true(who_address_of(0x10000, 0x14000, 5, 5, &address));
	assert_int_equal(address, 0x10000);
	assert_true(who_address_of(0x10000, 0x14000, 5, 8, &address));
	assert_int_equal(address, 0x13000);
	assert_false(who_address_of(0x10000, 0x14000, 5, 9, &address));
	assert_false(who_address_of(0x10000, 0x14000, 5, 4, &address));
	assert_false(who_address_of(0x14000, 0x10000, 0, 0, &address));
	/* What mremap moved keeps an index that looks like an address. */
	assert_true(
		who_address_of(0x7f0000000000, 0x7f0000002000, 0x7e1234567, 0x7e1234568, &address));
	assert_int_equal(address, 0x7f0000001000);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

enum { FILE_OBJECT, FAMILY, MEMFD };

static struct memoir_region *add_region(struct memoir_snapshot *s, uint32_t process, uint64_t start,
					uint64_t pages)
{
	struct memoir_region *region = snapshot_add_region(s);
	struct memoir_process *owner = &s->processes[process];

	*region = (struct memoir_region){
		.start = start,
		.end = start + pages * 4096,
		.perms = "rw-p",
		.kind = MEMOIR_KIND_ANON,
		.process = process,
		.object = MEMOIR_NONE,
		.family = MEMOIR_NONE,
	};
	if (owner->region_count++ == 0)
		owner->first_region = (uint32_t)(region - s->regions);
	return region;
}

static void add_process(struct memoir_snapshot *s, pid_t pid, pid_t ppid)
{
	*snapshot_add_process(s) = (struct memoir_process){
		.pid = pid, .ppid = ppid, .comm = "prog", .in_scope = true, .readable = true
	};
}

static void map_file(struct memoir_region *region, uint32_t object, const char *path,
		     uint64_t from_page, bool shared)
{
	region->kind = MEMOIR_KIND_FILE;
	region->object = object;
	region->path = path;
	region->offset_bytes = from_page * 4096;
	region->perms[3] = shared ? 's' : 'p';
}

/*
 * Processes 10 and its child 11 with anonymous memory that they share, and a page of it only 11 has; a file
 * of which 10 maps pages 0 to 3, 12 pages 2 to 5, and 11 pages 6 and 7; a memfd of 12 that is deleted.
 */
static struct memoir_snapshot *small_world(void)
{
	static const struct memoir_set sets[] = {
		{ .parent = MEMOIR_NONE, .region = 0, .members = 1, .ram_bytes = 0 },
		{ .parent = 0, .region = 2, .members = 2, .ram_bytes = 8192, .swap_bytes = 4096 },
		{ .parent = MEMOIR_NONE, .region = 2, .members = 1, .ram_bytes = 4096 },
		{ .parent = MEMOIR_NONE,
		  .region = 1,
		  .members = 1,
		  .of_object = true,
		  .ram_bytes = 4096 },
		{ .parent = 3, .region = 4, .members = 2, .of_object = true, .ram_bytes = 16384 },
	};
	struct memoir_snapshot *s = snapshot_new();

	assert_non_null(s);
	s->taken_ns = 5;
	*snapshot_add_object(s) = (struct memoir_object){
		.kind = MEMOIR_KIND_FILE, .dev_major = 8, .inode = 9, .path = "/lib/a.so"
	};
	*snapshot_add_object(s) = (struct memoir_object){ .is_family = true, .inode = 7 };
	*snapshot_add_object(s) = (struct memoir_object){ .kind = MEMOIR_KIND_MEMFD,
							  .inode = 3,
							  .path = "/memfd:m (deleted)" };
	add_process(s, 10, 1);
	add_process(s, 11, 10);
	add_process(s, 12, 1);
	add_region(s, 0, 0x10000, 4)->family = FAMILY;
	map_file(add_region(s, 0, 0x20000, 4), FILE_OBJECT, "/lib/a.so", 0, false);
	add_region(s, 1, 0x50000, 4)->family = FAMILY;
	map_file(add_region(s, 1, 0x60000, 2), FILE_OBJECT, "/lib/a.so", 6, false);
	map_file(add_region(s, 2, 0x20000, 4), FILE_OBJECT, "/lib/a.so", 2, true);
	map_file(add_region(s, 2, 0x30000, 1), MEMFD, "/memfd:m (deleted)", 0, true);
	s->regions[5].name = "pool one";
	s->regions[5].figures.known = 1u << MEMOIR_PSS;
	s->regions[5].figures.bytes[MEMOIR_PSS] = 4096;
	for (size_t i = 0; i < COUNT(sets); i++)
		*snapshot_add_set(s) = sets[i];
	s->sets_known = true;
	return s;
}

static struct memoir_who *asked(const struct memoir_snapshot *s, const char *text)
{
	struct memoir_target target = parsed(text);
	struct memoir_error error = { 0 };
	struct memoir_who *who = NULL;

	assert_int_equal(memoir_snapshot_who(s, &target, &who, &error), 0);
	return who;
}

static void check_row(const struct memoir_who *who, size_t i, pid_t pid, uint64_t start,
		      uint64_t address, enum memoir_how how)
{
	assert_true(i < who->row_count);
	assert_int_equal(who->rows[i].pid, pid);
	assert_int_equal(who->rows[i].start, start);
	assert_int_equal(who->rows[i].address, address);
	assert_int_equal(who->rows[i].how, how);
}

static void a_path_has_its_regions_in_order(void **state)
{
	struct memoir_snapshot *s = small_world();
	struct memoir_who *who = asked(s, "/lib/a.so");

	(void)state;
	assert_int_equal(who->row_count, 3);
	check_row(who, 0, 10, 0x20000, 0, MEMOIR_HOW_PRIVATE);
	check_row(who, 1, 11, 0x60000, 0, MEMOIR_HOW_PRIVATE);
	check_row(who, 2, 12, 0x20000, 0, MEMOIR_HOW_SHARED);
	assert_int_equal(who->taken_ns, 5);
	assert_int_equal(who->page.state, MEMOIR_PAGE_UNKNOWN);
	assert_false(who->partial);
	memoir_who_free(who);
	memoir_snapshot_free(s);
}

static void a_deleted_file_is_found_with_and_without_saying_so(void **state)
{
	static const char *const paths[] = { "/memfd:m", "/memfd:m (deleted)" };
	struct memoir_snapshot *s = small_world();

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct memoir_who *who = asked(s, paths[i]);

		assert_int_equal(who->row_count, 1);
		check_row(who, 0, 12, 0x30000, 0, MEMOIR_HOW_SHARED);
		assert_int_equal(who->rows[0].figures.bytes[MEMOIR_PSS], 4096);
		memoir_who_free(who);
	}
	struct memoir_who *none = asked(s, "/memfd:m (del");

	assert_int_equal(none->row_count, 0);
	memoir_who_free(none);
	memoir_snapshot_free(s);
}

static void names_and_objects_go_by_globs(void **state)
{
	struct memoir_snapshot *s = small_world();
	struct memoir_who *name = asked(s, "name:pool*"), *object = asked(s, "object:file:08:00:9");
	struct memoir_who *family = asked(s, "object:family:7");

	(void)state;
	assert_int_equal(name->row_count, 1);
	assert_string_equal(name->rows[0].name, "pool one");
	assert_int_equal(object->row_count, 3);
	assert_int_equal(family->row_count, 2);
	check_row(family, 1, 11, 0x50000, 0, MEMOIR_HOW_FORK);
	memoir_who_free(name);
	memoir_who_free(object);
	memoir_who_free(family);
	memoir_snapshot_free(s);
}

static void a_saved_page_of_a_file_has_those_that_map_this_part(void **state)
{
	struct memoir_snapshot *s = small_world();
	struct memoir_who *who = asked(s, "10:22abc");

	(void)state;
	/* Page 2 of the file: where 12 begins, and not where 11 is. */
	assert_int_equal(who->row_count, 2);
	check_row(who, 0, 10, 0x20000, 0x22000, MEMOIR_HOW_PRIVATE);
	check_row(who, 1, 12, 0x20000, 0x20000, MEMOIR_HOW_SHARED);
	assert_int_equal(who->page.ancestor, 0);
	assert_int_equal(who->set_count, 2);
	assert_int_equal(who->sets[0].ram_bytes, 16384);
	assert_int_equal(who->sets[0].members, 2);
	assert_true(who->sets[0].of_object);
	assert_int_equal(who->note_count, 1);
	memoir_who_free(who);
	s->sets_known = false;
	who = asked(s, "10:21000");
	assert_int_equal(who->note_count, 2);
	assert_int_equal(who->row_count, 1);
	memoir_who_free(who);
	memoir_snapshot_free(s);
}

static void a_saved_anonymous_page_has_its_family_and_sets(void **state)
{
	struct memoir_snapshot *s = small_world();
	struct memoir_who *who = asked(s, "11:53fff");

	(void)state;
	assert_int_equal(who->row_count, 2);
	check_row(who, 0, 10, 0x10000, 0, MEMOIR_HOW_FORK);
	check_row(who, 1, 11, 0x50000, 0x53000, MEMOIR_HOW_FORK);
	assert_int_equal(who->page.ancestor, 10);
	assert_string_equal(who->page.ancestor_comm, "prog");
	assert_int_equal(who->page.state, MEMOIR_PAGE_UNKNOWN);
	assert_false(who->page.frame_known);
	/* Not the one of both that has no memory, and not those of others. */
	assert_int_equal(who->set_count, 2);
	assert_int_equal(who->sets[0].set, 1);
	assert_int_equal(who->sets[0].swap_bytes, 4096);
	assert_int_equal(who->sets[1].set, 2);
	memoir_who_free(who);
	/* Of what is the other's alone there is nothing. */
	who = asked(s, "10:10000");
	assert_int_equal(who->set_count, 1);
	memoir_who_free(who);
	memoir_snapshot_free(s);
}

static void what_a_snapshot_lacks_is_said(void **state)
{
	static const struct {
		const char *text, *says;
		int err;
	} cases[] = {
		{ "99:1000", "no process 99", -ESRCH },
		{ "10:1000", "pid 10 has nothing mapped at 1000", -EFAULT },
		{ "10:24000", "nothing mapped at 24000", -EFAULT },
		{ "pfn:1", "no frames", -EINVAL },
		{ "object:[", NULL, 0 },
	};
	struct memoir_snapshot *s = small_world();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct memoir_target target = parsed(cases[i].text);
		struct memoir_error error = { 0 };
		struct memoir_who *who = NULL;

		assert_int_equal(memoir_snapshot_who(s, &target, &who, &error), cases[i].err);
		if (cases[i].says)
			assert_non_null(strstr(error.text, cases[i].says));
		if (cases[i].err)
			assert_null(who);
		memoir_who_free(who);
	}
	memoir_snapshot_free(s);
}

static void every_word_has_a_name(void **state)
{
	(void)state;
	for (int i = 1; i < MEMOIR_HOWS; i++)
		assert_non_null(memoir_how_name((enum memoir_how)i));
	for (int i = 1; i < MEMOIR_PAGE_STATES; i++)
		assert_non_null(memoir_page_state_name((enum memoir_page_state)i));
	for (int i = 1; i < MEMOIR_CONTENTS; i++)
		assert_non_null(memoir_content_name((enum memoir_content)i));
	assert_null(memoir_how_name(MEMOIR_HOW_UNKNOWN));
	assert_null(memoir_how_name(MEMOIR_HOWS));
	assert_null(memoir_page_state_name(MEMOIR_PAGE_UNKNOWN));
	assert_null(memoir_content_name(MEMOIR_CONTENTS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_to_ask_is_understood),
		cmocka_unit_test(what_cannot_be_asked_is_named),
		cmocka_unit_test(the_ancestor_is_the_nearest_of_the_family),
		cmocka_unit_test(a_page_is_where_its_index_says),
		cmocka_unit_test(a_path_has_its_regions_in_order),
		cmocka_unit_test(a_deleted_file_is_found_with_and_without_saying_so),
		cmocka_unit_test(names_and_objects_go_by_globs),
		cmocka_unit_test(a_saved_page_of_a_file_has_those_that_map_this_part),
		cmocka_unit_test(a_saved_anonymous_page_has_its_family_and_sets),
		cmocka_unit_test(what_a_snapshot_lacks_is_said),
		cmocka_unit_test(every_word_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
