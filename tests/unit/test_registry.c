// SPDX-License-Identifier: MIT
/*
 * The links from ids to names: made once, dropped when told, and of directories that somebody else
 * may have had a hand in, none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/name_registry.h"
#include "scratch.h"

static int set_up(void **state)
{
	(void)state;
	return scratch_make();
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

static struct links *open_made(void)
{
	struct links *registry;

	assert_int_equal(registry_open(scratch_path(), true, &registry), 0);
	return registry;
}

/* ---- links ---------------------------------------------------------------------------------- */

static void a_link_is_made_once_and_says_the_name(void **state)
{
	struct links *registry = open_made();
	char name[LINKS_TEXT_MAX];
	struct stat st;

	(void)state;
	assert_int_equal(registry_add(registry, 0x0123456789abcdef, "a name: with/all.. of it"), 1);
	assert_int_equal(registry_add(registry, 0x0123456789abcdef, "a name: with/all.. of it"), 0);
	assert_int_equal(registry_read(registry, 0x0123456789abcdef, name), 24);
	assert_string_equal(name, "a name: with/all.. of it");
	assert_int_equal(readlink(in_scratch("memoir/names/0123456789abcdef"), name, sizeof(name)),
			 24);
	assert_int_equal(stat(in_scratch("memoir/names"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(registry_read(registry, 1, name), -ENOENT);
	links_close(registry);
	links_close(NULL);
}

static void two_names_of_one_id_are_told(void **state)
{
	struct memoir_name_sum sums[] = {
		{ .name = "one", .id = 7, .source = MEMOIR_NAME_TABLE },
		{ .name = "other", .id = 7, .source = MEMOIR_NAME_KERNEL },
		{ .name = "one", .id = 7, .source = MEMOIR_NAME_PRCTL },
		{ .name = "/a/path", .id = 8, .source = MEMOIR_NAME_PATH },
		{ .name = "[heap]", .id = 9, .source = MEMOIR_NAME_NONE },
	};
	struct links *registry = open_made();
	struct link_notes notes = { 0 };
	char name[LINKS_TEXT_MAX];

	(void)state;
	assert_int_equal(name_links_make(registry, sums, 5, &notes), 0);
	assert_int_equal(notes.count, 1);
	assert_non_null(strstr(notes.text[0], "0000000000000007"));
	assert_non_null(strstr(notes.text[0], "'one'"));
	assert_non_null(strstr(notes.text[0], "'other'"));
	assert_int_equal(registry_read(registry, 7, name), 3);
	assert_int_equal(registry_read(registry, 8, name), -ENOENT);
	assert_int_equal(registry_read(registry, 9, name), -ENOENT);
	link_notes_free(&notes);
	links_close(registry);
}

static void many_such_are_told_in_few_words(void **state)
{
	struct links *registry = open_made();
	struct memoir_name_sum sums[50];
	struct link_notes notes = { 0 };
	char names[50][8];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d", i);
		sums[i] = (struct memoir_name_sum){ .name = names[i],
						    .id = 5,
						    .source = MEMOIR_NAME_TABLE };
	}
	assert_int_equal(name_links_make(registry, sums, 50, &notes), 0);
	assert_int_equal(notes.count, LINK_NOTES_MAX + 1);
	assert_non_null(strstr(notes.text[LINK_NOTES_MAX], " 41 "));
	link_notes_free(&notes);
	links_close(registry);
}

static void what_no_link_can_say_is_refused(void **state)
{
	struct links *registry = open_made();
	char name[LINKS_TEXT_MAX + 1];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[LINKS_TEXT_MAX] = '\0';
	assert_int_equal(registry_add(registry, 1, ""), -EINVAL);
	assert_int_equal(registry_add(registry, 1, name), -EINVAL);
	name[LINKS_TEXT_MAX - 1] = '\0';
	assert_int_equal(registry_add(registry, 1, name), 1);
	assert_int_equal(registry_add(registry, 1, name), 0);
	links_close(registry);
}

static void several_may_make_the_same_at_once(void **state)
{
	struct links *registry = open_made();
	int made = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			int mine = 0;

			for (uint64_t id = 0; id < 200; id++) {
				char name[16];

				snprintf(name, sizeof(name), "name %d", (int)id);
				int ret = registry_add(registry, id, name);

				mine += ret == 1;
				if (ret < 0)
					_exit(255);
			}
			_exit(mine);
		}
	for (int i = 0; i < 4; i++) {
		int status;

		wait(&status);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 200);
		made += WEXITSTATUS(status);
	}
	assert_int_equal(made, 200);
	links_close(registry);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool drop_even(uint64_t id, const char *name, uint64_t made_ns, void *arg)
{
	size_t *count = arg;

	assert_true(made_ns <= now_ns() && made_ns > now_ns() - 60000000000u);

	assert_string_equal(name, id % 2 ? "odd" : "even");
	++*count;
	return id % 2 == 0;
}

static void those_that_are_not_wanted_are_dropped(void **state)
{
	struct links *registry = open_made();
	size_t count = 0, strange = 9;

	(void)state;
	for (uint64_t id = 0; id < 100; id++)
		registry_add(registry, id, id % 2 ? "odd" : "even");
	assert_int_equal(registry_each(registry, drop_even, &count, &strange), 0);
	assert_int_equal(count, 100);
	assert_int_equal(strange, 0);
	count = 0;
	assert_int_equal(registry_each(registry, drop_even, &count, &strange), 0);
	assert_int_equal(count, 50);
	links_close(registry);
}

static bool drop_first(uint64_t id, const char *name, uint64_t made_ns, void *arg)
{
	size_t *count = arg;

	(void)id;
	(void)name;
	(void)made_ns;
	return ++*count == 1;
}

static void there_is_an_end_to_how_many_there_are(void **state)
{
	struct links *registry = open_made();

	(void)state;
	for (uint64_t id = 0; id < LINKS_MAX; id++)
		assert_int_equal(registry_add(registry, id, "x"), 1);
	assert_int_equal(registry_add(registry, LINKS_MAX, "x"), -ENOSPC);
	assert_int_equal(registry_add(registry, 5, "x"), 0);
	/* What is dropped makes room. */
	size_t count = 0, strange;

	assert_int_equal(registry_each(registry, drop_first, &count, &strange), 0);
	assert_int_equal(registry_add(registry, LINKS_MAX + 1, "x"), 1);
	assert_int_equal(registry_add(registry, LINKS_MAX, "x"), -ENOSPC);
	links_close(registry);
	/* Who comes new finds them as well. */
	registry = open_made();
	assert_int_equal(registry_add(registry, LINKS_MAX, "x"), -ENOSPC);
	links_close(registry);
}

/* ---- what others put there ------------------------------------------------------------------ */

static bool count_only(uint64_t id, const char *name, uint64_t made_ns, void *arg)
{
	size_t *count = arg;

	(void)id;
	(void)made_ns;
	(void)name;
	++*count;
	return true;
}

static void what_is_no_link_of_an_id_is_left_alone(void **state)
{
	struct links *registry = open_made();
	size_t count = 0, strange = 0;
	char longest[3000];
	struct stat st;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	close(open(in_scratch("memoir/names/0000000000000001"), O_CREAT | O_WRONLY, 0600));
	mkdir(in_scratch("memoir/names/0000000000000002"), 0700);
	assert_int_equal(symlink(longest, in_scratch("memoir/names/0000000000000003")), 0);
	assert_int_equal(symlink("x", in_scratch("memoir/names/000000000000000A")), 0);
	assert_int_equal(symlink("x", in_scratch("memoir/names/readme")), 0);
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(registry_add(registry, id, "name"), -EEXIST);
	assert_int_equal(registry_each(registry, count_only, &count, &strange), 0);
	assert_int_equal(count, 0);
	assert_int_equal(strange, 5);
	assert_int_equal(lstat(in_scratch("memoir/names/readme"), &st), 0);
	links_close(registry);
}

static void nothing_is_made_where_it_was_not_asked_for(void **state)
{
	struct links *registry;
	struct stat st;

	(void)state;
	assert_int_equal(registry_open(scratch_path(), false, &registry), -ENOENT);
	assert_int_equal(stat(in_scratch("memoir"), &st), -1);
	assert_int_equal(registry_open(in_scratch("nowhere"), true, &registry), -ENOENT);
}

static void a_directory_that_others_may_write_to_is_not_used(void **state)
{
	struct links *registry;

	(void)state;
	links_close(open_made());
	for (int bits = 020; bits; bits = bits == 020 ? 002 : 0) {
		static const char *const dirs[] = { "", "memoir", "memoir/names" };

		for (size_t i = 0; i < 3; i++) {
			chmod(in_scratch(dirs[i]), (mode_t)(0755 | bits));
			assert_int_equal(registry_open(scratch_path(), true, &registry), -EPERM);
			chmod(in_scratch(dirs[i]), 0755);
		}
	}
	links_close(open_made());
}

static void a_directory_of_somebody_else_is_not_used(void **state)
{
	struct links *registry;

	(void)state;
	links_close(open_made());
	if (geteuid() != 0) {
		assert_int_equal(registry_open("/run", true, &registry), -EACCES);
		return;
	}
	assert_int_equal(chown(in_scratch("memoir/names"), 65534, 65534), 0);
	assert_int_equal(registry_open(scratch_path(), true, &registry), -EPERM);
	assert_int_equal(chown(in_scratch("memoir/names"), 0, 0), 0);
	assert_int_equal(chown(in_scratch("memoir"), 65534, 65534), 0);
	assert_int_equal(registry_open(scratch_path(), true, &registry), -EPERM);
	assert_int_equal(chown(in_scratch("memoir"), 0, 0), 0);
	assert_int_equal(chown(scratch_path(), 65534, 65534), 0);
	assert_int_equal(registry_open(scratch_path(), true, &registry), -EPERM);
	assert_int_equal(chown(scratch_path(), 0, 0), 0);
	links_close(open_made());
}

/* Not to where it leads, wherever that is, and not to a file. */
static void a_link_in_the_way_is_not_followed(void **state)
{
	struct links *registry;
	struct stat st;

	(void)state;
	mkdir(in_scratch("target"), 0755);
	assert_int_equal(symlink("target", in_scratch("memoir")), 0);
	assert_int_not_equal(registry_open(scratch_path(), true, &registry), 0);
	assert_int_equal(stat(in_scratch("target/names"), &st), -1);
	unlink(in_scratch("memoir"));
	mkdir(in_scratch("memoir"), 0755);
	assert_int_equal(symlink("../target", in_scratch("memoir/names")), 0);
	assert_int_not_equal(registry_open(scratch_path(), true, &registry), 0);
	unlink(in_scratch("memoir/names"));
	close(open(in_scratch("memoir/names"), O_CREAT | O_WRONLY, 0600));
	assert_int_equal(registry_open(scratch_path(), true, &registry), -ENOTDIR);
	assert_int_equal(symlink(scratch_path(), in_scratch("to-base")), 0);
	assert_int_not_equal(registry_open(in_scratch("to-base"), true, &registry), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_link_is_made_once_and_says_the_name),
		TEST(two_names_of_one_id_are_told),
		TEST(many_such_are_told_in_few_words),
		TEST(what_no_link_can_say_is_refused),
		TEST(several_may_make_the_same_at_once),
		TEST(those_that_are_not_wanted_are_dropped),
		TEST(there_is_an_end_to_how_many_there_are),
		TEST(what_is_no_link_of_an_id_is_left_alone),
		TEST(nothing_is_made_where_it_was_not_asked_for),
		TEST(a_directory_that_others_may_write_to_is_not_used),
		TEST(a_directory_of_somebody_else_is_not_used),
		TEST(a_link_in_the_way_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
