// SPDX-License-Identifier: MIT
/*
 * Selectors: what each key means, how they combine, and what is said of those that are wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <memoir/select.h>

#include "snapshot/model.h"

static const pid_t peers[] = { 43 };

/* One process of root with a heap, a file and an anonymous region that has a name. */
static struct memoir_snapshot *fake_snapshot(void)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_object *file = snapshot_add_object(s);
	struct memoir_object *family = snapshot_add_object(s);
	struct memoir_process *process = snapshot_add_process(s);

	*file = (struct memoir_object){ .kind = MEMOIR_KIND_FILE,
					.dev_major = 0xfe,
					.dev_minor = 1,
					.inode = 131,
					.alias = 2 };
	*family = (struct memoir_object){ .kind = MEMOIR_KIND_ANON, .is_family = true, .inode = 7 };
	process->pid = 42;
	process->comm = "we,b server";
	process->cgroup = "/system.slice/web.service";
	process->in_scope = true;
	process->region_count = 3;
	for (int i = 0; i < 3; i++) {
		struct memoir_region *region = snapshot_add_region(s);

		region->start = 0x1000u * (unsigned int)(i + 1);
		region->end = region->start + 0x1000;
		region->object = region->family = MEMOIR_NONE;
	}
	s->regions[0].kind = MEMOIR_KIND_HEAP;
	s->regions[0].path = "[heap]";
	s->regions[0].family = 1;
	s->regions[1].kind = MEMOIR_KIND_FILE;
	s->regions[1].path = "/usr/lib/libc.so.6";
	s->regions[1].object = 0;
	s->regions[2].kind = MEMOIR_KIND_ANON;
	s->regions[2].name = "cache\xff"
			     "a";
	s->regions[2].name_source = MEMOIR_NAME_KERNEL;
	return s;
}

static unsigned int users_asked;

static const char *name_of_user(uid_t uid, char buf[MEMOIR_USER_NAME_MAX], void *arg)
{
	++*(unsigned int *)arg;
	return uid == 0 ? memcpy(buf, "root", 5) : NULL;
}

static struct memoir_selection *parse(const char *first, const char *second)
{
	const char *texts[] = { first, second };
	struct memoir_selection *selection = NULL;
	struct memoir_error error = { 0 };
	int ret = memoir_selection_parse(texts, first ? second ? 2 : 1 : 0, &selection, &error);

	if (ret < 0)
		fail_msg("%s: %s", first, error.text);
	memoir_selection_set_users(selection, name_of_user, &users_asked);
	return selection;
}

/* Which of the three regions are meant, as bits; the process itself is bit 3. */
static unsigned int meant(const char *first, const char *second, const pid_t *own_peers,
			  unsigned int peer_count)
{
	struct memoir_snapshot *s = fake_snapshot();
	struct memoir_selection *selection = parse(first, second);
	unsigned int bits = 0;

	s->processes[0].peers = own_peers;
	s->processes[0].peer_count = peer_count;
	if (memoir_selection_matches_process(selection, &s->processes[0]))
		bits |= 8;
	for (unsigned int i = 0; i < 3; i++)
		if (memoir_selection_matches_region(selection, s, &s->regions[i]))
			bits |= 1u << i;
	s->processes[0].peers = NULL; /* static: not the snapshot's to free */
	memoir_selection_free(selection);
	memoir_snapshot_free(s);
	return bits;
}

static void each_key_means_what_it_says(void **state)
{
	static const struct {
		const char *selector;
		unsigned int meant; /* HEAP FILE NAMED and the process */
	} cases[] = {
		{ "42", 15 },
		{ "pid:42", 15 },
		{ "pid:4?", 15 },
		{ "pid:0042", 15 },
		{ "pid:4", 0 },
		{ "1,42", 15 },
		{ "comm:we*", 15 },
		{ "comm:WE*", 0 },
		{ "user:root", 15 },
		{ "user:0", 15 },
		{ "user:nobody", 0 },
		{ "cgroup:*/web.service", 15 },
		{ "cgroup:*/db*", 0 },
		{ "name:cache*", 12 },
		{ "name:*", 12 },
		{ "path:*libc*", 10 },
		{ "path:\\[heap\\]", 9 },
		{ "path:[heap]", 9 },
		{ "kind:heap", 9 },
		{ "kind:[fa]*", 14 },
		{ "object:file:*", 10 },
		{ "object:file:fe:01:131#2", 10 },
		{ "object:family:7", 9 },
		{ "object:family:*", 9 },
		{ "object:memfd:*", 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (meant(cases[i].selector, NULL, NULL, 0) != cases[i].meant)
			fail_msg("%s means %u, not %u", cases[i].selector,
				 meant(cases[i].selector, NULL, NULL, 0), cases[i].meant);
}

static void users_are_asked_for_once_and_who_is_unknown_is_nobody(void **state)
{
	const char *by_name = "user:r*", *any = "user:*";
	struct memoir_process known = { .uid = 0 }, other = { .uid = 7 },
			      unread = { .uid = (uid_t)-1 };
	struct memoir_selection *selection = parse(by_name, NULL);

	(void)state;
	users_asked = 0;
	for (int i = 0; i < 3; i++) {
		assert_true(memoir_selection_matches_process(selection, &known));
		assert_false(memoir_selection_matches_process(selection, &other));
		assert_false(memoir_selection_matches_process(selection, &unread));
	}
	assert_int_equal(users_asked, 2);
	memoir_selection_set_users(selection, NULL, NULL);
	assert_true(memoir_selection_matches_process(selection, &known)); /* remembered */
	memoir_selection_free(selection);
	assert_int_equal(memoir_selection_parse(&any, 1, &selection, NULL), 0);
	assert_true(memoir_selection_matches_process(selection, &other));
	assert_false(memoir_selection_matches_process(selection, &unread));
	memoir_selection_free(selection);
}

static void commas_mean_or_and_several_selectors_mean_and(void **state)
{
	(void)state;
	assert_int_equal(meant("kind:heap,file", NULL, NULL, 0), 11);
	assert_int_equal(meant("kind:nothing,heap", NULL, NULL, 0), 9);
	assert_int_equal(meant("kind:heap,file", "path:/usr/*", NULL, 0), 10);
	assert_int_equal(meant("kind:heap", "comm:other", NULL, 0), 0);
	assert_int_equal(meant("pid:42", "pid:41", NULL, 0), 0);
}

static void a_comma_in_a_value_is_written_with_a_backslash(void **state)
{
	(void)state;
	assert_int_equal(meant("comm:we\\,b server", NULL, NULL, 0), 15);
	assert_int_equal(meant("comm:we,b server", NULL, NULL, 0), 0);
	assert_int_equal(meant("comm:x,we\\,b*", NULL, NULL, 0), 15);
	/* Other backslashes are the glob's. */
	assert_int_equal(meant("comm:we\\,b\\ server", NULL, NULL, 0), 15);
	assert_int_equal(meant("comm:we\\*", NULL, NULL, 0), 0);
}

static void a_peer_s_pid_means_the_address_space(void **state)
{
	(void)state;
	assert_int_equal(meant("43", NULL, NULL, 0), 0);
	assert_int_equal(meant("43", NULL, peers, 1), 15);
	assert_int_equal(meant("pid:42", "pid:43", peers, 1), 15);
}

static void a_range_means_the_regions_that_it_touches(void **state)
{
	(void)state;
	assert_int_equal(meant("42:1000-2000", NULL, NULL, 0), 9);
	assert_int_equal(meant("42:0x1fff-2001", NULL, NULL, 0), 11);
	assert_int_equal(meant("42:0-1000", NULL, NULL, 0), 8);
	assert_int_equal(meant("42:2000-2001", NULL, NULL, 0), 10);
	assert_int_equal(meant("42:0-FFFFFFFFFFFFFFFF", NULL, NULL, 0), 15);
	assert_int_equal(meant("41:1000-2000", NULL, NULL, 0), 0);
}

static void names_that_are_not_utf8_match_in_every_locale(void **state)
{
	(void)state;
	assert_int_equal(meant("name:cache*a", NULL, NULL, 0), 12);
	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		print_message("there is no locale C.UTF-8\n");
		skip();
	}
	unsigned int bits = meant("name:cache*a", NULL, NULL, 0);

	setlocale(LC_CTYPE, "C");
	assert_int_equal(bits, 12);
}

static void no_selector_means_all(void **state)
{
	struct memoir_selection *none = parse(NULL, NULL), *some = parse("42", NULL);

	(void)state;
	assert_int_equal(meant(NULL, NULL, NULL, 0), 15);
	assert_true(memoir_selection_empty(NULL));
	assert_true(memoir_selection_empty(none));
	assert_false(memoir_selection_empty(some));
	assert_false(memoir_selection_has_region_keys(NULL));
	assert_int_equal(memoir_selection_single_pid(NULL), 0);
	memoir_selection_free(none);
	memoir_selection_free(some);
	memoir_selection_free(NULL);
}

static void keys_of_regions_are_told_from_those_of_processes(void **state)
{
	static const char *const of_process[] = { "1", "pid:1", "comm:a", "user:a", "cgroup:a" };
	static const char *const of_region[] = { "name:a", "path:a", "kind:a", "object:a",
						 "1:0-1" };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct memoir_selection *process = parse(of_process[i], NULL);
		struct memoir_selection *region = parse(of_process[i], of_region[i]);

		assert_false(memoir_selection_has_region_keys(process));
		assert_true(memoir_selection_has_region_keys(region));
		memoir_selection_free(process);
		memoir_selection_free(region);
	}
}

static void a_single_pid_is_one_that_is_named_by_number(void **state)
{
	static const struct {
		const char *first, *second;
		pid_t pid;
	} cases[] = {
		{ "42", NULL, 42 },     { "pid:042", NULL, 42 },
		{ "42:0-1", NULL, 42 }, { "42", "kind:heap", 42 },
		{ "42", "42:0-1", 42 }, { "42", "43", 0 },
		{ "42,43", NULL, 0 },   { "pid:4*", NULL, 0 },
		{ "comm:42", NULL, 0 }, { "2147483647", NULL, 2147483647 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct memoir_selection *selection = parse(cases[i].first, cases[i].second);

		assert_int_equal(memoir_selection_single_pid(selection), cases[i].pid);
		memoir_selection_free(selection);
	}
}

static void what_is_wrong_is_said_and_the_selector_named(void **state)
{
	static const struct {
		const char *selector, *says;
	} cases[] = {
		{ "", "no key" },
		{ "firefox", "comm:firefox" },
		{ "colour:red", "unknown key" },
		{ "Comm:x", "unknown key" },
		{ ":x", "unknown key" },
		{ "comm:", "empty value" },
		{ "comm:a,", "empty value" },
		{ "comm:,a", "empty value" },
		{ "12,", "empty value" },
		{ "name:[heap]", "write kind:heap" },
		{ "name:a,[arena:glibc]", "write kind:arena:glibc" },
		{ "pid:a", "for a pid" },
		{ "pid:-1", "for a pid" },
		{ "2147483648", "for a pid" },
		{ "99999999999999999999", "for a pid" },
		{ "42:", "no range" },
		{ "42:1000", "no range" },
		{ "42:1000-", "no range" },
		{ "42:1000-2000x", "no range" },
		{ "42:-1-5", "no range" },
		{ "42: 1-5", "no range" },
		{ "42:1-fffffffffffffffff", "no range" },
		{ "42:2000-2000", "is empty" },
		{ "42:2000-1000", "is empty" },
		{ "99999999999:1-2", "begin with a pid" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct memoir_selection *selection = (void *)&cases;
		struct memoir_error error = { 0 };
		const char *texts[] = { "kind:heap", cases[i].selector };

		assert_int_equal(memoir_selection_parse(texts, 2, &selection, &error), -EINVAL);
		assert_ptr_equal(selection, &cases);
		assert_int_equal(error.code, -EINVAL);
		if (!strstr(error.text, cases[i].says) || !strstr(error.text, cases[i].selector))
			fail_msg("'%s' is told: %s", cases[i].selector, error.text);
	}
	assert_int_equal(memoir_selection_parse((const char *[]){ "x" }, 1, NULL, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_means_what_it_says),
		cmocka_unit_test(users_are_asked_for_once_and_who_is_unknown_is_nobody),
		cmocka_unit_test(commas_mean_or_and_several_selectors_mean_and),
		cmocka_unit_test(a_comma_in_a_value_is_written_with_a_backslash),
		cmocka_unit_test(a_peer_s_pid_means_the_address_space),
		cmocka_unit_test(a_range_means_the_regions_that_it_touches),
		cmocka_unit_test(names_that_are_not_utf8_match_in_every_locale),
		cmocka_unit_test(no_selector_means_all),
		cmocka_unit_test(keys_of_regions_are_told_from_those_of_processes),
		cmocka_unit_test(a_single_pid_is_one_that_is_named_by_number),
		cmocka_unit_test(what_is_wrong_is_said_and_the_selector_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
