// SPDX-License-Identifier: MIT
/*
 * Structs of options from callers that are older or newer than the library: every call that takes one.
 * Nothing of the machine is looked at: the calls are refused before, or have an empty tree below them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <memoir/hint.h>
#include <memoir/idle.h>

#include "snapshot/model.h"
#include "tree.h"

struct fixture {
	char *tree;
	struct memoir *memoir;
	struct memoir_snapshot *snapshot;
	struct memoir_plan plan;
};

/* Options of any call, and behind them room for what a newer library has. */
union given {
	size_t sz;
	struct memoir_options open;
	struct memoir_capture_options capture;
	struct memoir_plan_options plan;
	struct memoir_apply_options apply;
	struct memoir_reclaim_options reclaim;
	struct memoir_idle_options idle;
	uint64_t words[64];
};

static int try_open(struct fixture *f, const union given *given, struct memoir_error *error)
{
	struct memoir *memoir = NULL;
	int err = memoir_open(&given->open, &memoir, error);

	(void)f;
	memoir_close(memoir);
	return err;
}

static int try_capture(struct fixture *f, const union given *given, struct memoir_error *error)
{
	struct memoir_snapshot *snapshot = NULL;
	int err = memoir_capture(f->memoir, &given->capture, &snapshot, error);

	memoir_snapshot_free(snapshot);
	return err;
}

static int try_plan(struct fixture *f, const union given *given, struct memoir_error *error)
{
	struct memoir_plan *plan = NULL;
	int err = memoir_plan(f->memoir, f->snapshot, NULL, &given->plan, &plan, error);

	memoir_plan_free(plan);
	return err;
}

static int try_apply(struct fixture *f, const union given *given, struct memoir_error *error)
{
	struct memoir_applied *applied = NULL;
	int err = memoir_apply(f->memoir, &f->plan, &given->apply, &applied, error);

	memoir_applied_free(applied);
	return err;
}

static int try_reclaim(struct fixture *f, const union given *given, struct memoir_error *error)
{
	struct memoir_reclaimed *reclaimed = NULL;
	int err = memoir_reclaim(f->memoir, f->snapshot, NULL, &given->reclaim, &reclaimed, error);

	memoir_reclaimed_free(reclaimed);
	return err;
}

static int try_idle(struct fixture *f, const union given *given, struct memoir_error *error)
{
	struct memoir_idle *idle = NULL;
	int err = memoir_idle_begin(f->memoir, f->snapshot, NULL, &given->idle, &idle, error);

	memoir_idle_free(idle);
	return err;
}

static const struct call {
	const char *what;
	size_t bytes; /* of the options this version knows */
	int (*try)(struct fixture *f, const union given *given, struct memoir_error *error);
} calls[] = {
	{ "struct memoir_options", sizeof(struct memoir_options), try_open },
	{ "struct memoir_capture_options", sizeof(struct memoir_capture_options), try_capture },
	{ "struct memoir_plan_options", sizeof(struct memoir_plan_options), try_plan },
	{ "struct memoir_apply_options", sizeof(struct memoir_apply_options), try_apply },
	{ "struct memoir_reclaim_options", sizeof(struct memoir_reclaim_options), try_reclaim },
	{ "struct memoir_idle_options", sizeof(struct memoir_idle_options), try_idle },
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static int set_up(void **state)
{
	static struct fixture f;
	struct memoir_options options = { .sz = sizeof(options) };

	f.tree = tree_new();
	tree_put_text(f.tree, "proc/meminfo", "MemTotal: 4096 kB\n");
	options.root = f.tree;
	f.snapshot = snapshot_new();
	*state = &f;
	return memoir_open(&options, &f.memoir, NULL) || !f.snapshot;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	memoir_close(f->memoir);
	memoir_snapshot_free(f->snapshot);
	tree_remove(f->tree);
	return 0;
}

static void a_field_of_a_newer_library_is_refused_if_it_is_set(void **state)
{
	for (size_t i = 0; i < CALLS; i++)
		for (size_t byte = calls[i].bytes; byte < calls[i].bytes + 16; byte++) {
			union given given = { .words = { calls[i].bytes + 16 } };
			struct memoir_error error = { 0 };

			((char *)&given)[byte] = 1;
			assert_int_equal(calls[i].try(*state, &given, &error), -E2BIG);
			assert_int_equal(error.code, -E2BIG);
			assert_non_null(strstr(error.text, calls[i].what));
			assert_non_null(strstr(error.text, "newer"));
		}
}

static void a_field_of_a_newer_library_that_is_not_set_does_no_harm(void **state)
{
	for (size_t i = 0; i < CALLS; i++) {
		union given given = { .words = { calls[i].bytes + 16 } };

		assert_int_not_equal(calls[i].try(*state, &given, NULL), -E2BIG);
	}
}

static void options_without_their_size_are_refused(void **state)
{
	for (size_t i = 0; i < CALLS; i++) {
		union given given = { .sz = 0 };
		struct memoir_error error = { 0 };

		assert_int_equal(calls[i].try(*state, &given, &error), -EINVAL);
		assert_non_null(strstr(error.text, "sz must be set"));
	}
}

/* What stands behind the end of an older caller's struct is not its business. */
static void nothing_is_read_behind_the_end_of_a_shorter_struct(void **state)
{
	struct fixture *f = *state;
	union given given = { .words = { offsetof(struct memoir_capture_options, wants_arg) } };
	struct memoir_snapshot *snapshot = NULL;

	memset((char *)&given + given.sz, 0xff, sizeof(given) - given.sz);
	assert_int_equal(memoir_capture(f->memoir, &given.capture, &snapshot, NULL), 0);
	assert_null(memoir_snapshot_scope(snapshot));
	memoir_snapshot_free(snapshot);
}

/* A file has regions, and sums are made of them. */
static void what_was_captured_without_regions_is_not_saved(void **state)
{
	struct fixture *f = *state;
	const struct memoir_capture_options options = { .sz = sizeof(options),
							.without_regions = true };
	struct memoir_snapshot *snapshot = NULL;
	struct memoir_error error = { 0 };

	assert_int_equal(memoir_capture(f->memoir, &options, &snapshot, NULL), 0);
	assert_int_equal(memoir_snapshot_region_count(snapshot), 0);
	assert_int_equal(memoir_snapshot_save(snapshot, "/tmp/memoir-unit-none", &error), -EINVAL);
	assert_string_equal(error.text, "cannot save the snapshot as /tmp/memoir-unit-none: it was "
					"captured without regions");
	assert_int_equal(access("/tmp/memoir-unit-none", F_OK), -1);
	memoir_snapshot_free(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_of_a_newer_library_is_refused_if_it_is_set),
		cmocka_unit_test(a_field_of_a_newer_library_that_is_not_set_does_no_harm),
		cmocka_unit_test(options_without_their_size_are_refused),
		cmocka_unit_test(nothing_is_read_behind_the_end_of_a_shorter_struct),
		cmocka_unit_test(what_was_captured_without_regions_is_not_saved),
	};

	return cmocka_run_group_tests_name("options", tests, set_up, tear_down);
}
