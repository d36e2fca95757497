// SPDX-License-Identifier: MIT
/*
 * What becomes of buffers from look to look, by snapshots that are made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "buffer_scene.h"

/* ---- what is told --------------------------------------------------------------------------- */

static void the_life_of_a_buffer_is_told_in_order(void **state)
{
	const struct thing made[] = { { 7, "a", 4096, { { 10, 1, 3, NULL } } } };
	const struct thing passed[] = {
		{ 7, "a", 4096, { { 10, 1, 3, NULL }, { 11, 1, 4, NULL } } }
	};
	const struct thing mapped[] = {
		{ 7, "a", 4096, { { 10, 1, MAPPED, NULL }, { 11, 1, 4, NULL } } }
	};
	const struct thing left[] = { { 7, "a", 4096, { { 10, 1, MAPPED, NULL } } } };
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, NOTHING);
	look(&s, THINGS(made));
	assert_string_equal(s.text, "created 7 a\nheld 7 10 test 1+0\n");
	look(&s, THINGS(made));
	assert_string_equal(s.text, "");
	look(&s, THINGS(passed));
	assert_string_equal(s.text, "held 7 11 test 1+0\n");
	/* How it is held is no event. */
	look(&s, THINGS(mapped));
	assert_string_equal(s.text, "");
	look_twice(&s, THINGS(left));
	assert_string_equal(s.text, "left 7 11 test 1+0\n");
	look_twice(&s, NOTHING);
	assert_string_equal(s.text, "left 7 10 test 0+1\nfreed 7 a\n");
	look(&s, NOTHING);
	assert_string_equal(s.text, "");
	end(&s);
}

static void what_was_there_at_the_beginning_did_not_come(void **state)
{
	const struct thing things[] = { { 7, "a", 4096, { { 10, 1, 3, NULL } } } };
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(things));
	assert_string_equal(s.text, "");
	look_twice(&s, NOTHING);
	assert_string_equal(s.text, "left 7 10 test 1+0\nfreed 7 a\n");
	end(&s);
}

/* As when an fd moves from one process to the other while they are looked at. */
static void what_is_missing_once_did_not_go(void **state)
{
	const struct thing before[] = { { 7, "a", 4096, { { 10, 1, 3, NULL } } } };
	const struct thing after[] = { { 7, "a", 4096, { { 11, 1, 3, NULL } } } };
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(before));
	look(&s, NOTHING);
	assert_string_equal(s.text, "");
	look(&s, THINGS(after));
	assert_string_equal(s.text, "held 7 11 test 1+0\nleft 7 10 test 1+0\n");
	end(&s);
}

static void a_pid_that_is_used_again_is_another_process(void **state)
{
	const struct thing before[] = { { 7, "a", 4096, { { 10, 1, 3, NULL } } } };
	const struct thing after[] = { { 7, "a", 4096, { { 10, 2, 3, NULL } } } };
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(before));
	look(&s, THINGS(after));
	assert_string_equal(s.text, "held 7 10 test 1+0\n");
	look(&s, THINGS(after));
	assert_string_equal(s.text, "left 7 10 test 1+0\n");
	end(&s);
}

static void exec_is_no_event(void **state)
{
	const struct thing before[] = { { 7, "a", 4096, { { 10, 1, 3, "sh" } } } };
	const struct thing after[] = { { 7, "a", 4096, { { 10, 1, 3, "cat" } } } };
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(before));
	look(&s, THINGS(after));
	assert_string_equal(s.text, "");
	look_twice(&s, NOTHING);
	assert_string_equal(s.text, "left 7 10 cat 1+0\nfreed 7 a\n");
	end(&s);
}

static void an_id_that_is_used_again_is_another_buffer(void **state)
{
	const struct thing before[] = { { 7, "a", 4096, { { 10, 1, 3, NULL } } } };
	const struct thing other[] = { { 7, "b", 4096, { { 11, 1, 3, NULL } } } };
	const struct thing renamed[] = { { 7, "c", 4096, { { 11, 1, 3, NULL } } } };
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(before));
	look(&s, THINGS(other));
	/* The old one might be there still: it has the id, until it is missing twice. */
	assert_string_equal(s.text, "created 7#2 b\nheld 7#2 11 test 1+0\n");
	look(&s, THINGS(other));
	assert_string_equal(s.text, "left 7 10 test 1+0\nfreed 7 a\n");
	look(&s, THINGS(renamed));
	assert_string_equal(s.text, "renamed 7#2 b -> c\n");
	end(&s);
}

/* The kernel's order of two with one id changes when the first is gone. */
static void ids_stay_though_their_order_changes(void **state)
{
	const struct thing both[] = {
		{ 7, "a", 4096, { { 10, 1, MAPPED, NULL } }, .kind = MEMOIR_KIND_SYSV },
		{ 7, "a", 4096, { { 11, 1, MAPPED, NULL } }, .kind = MEMOIR_KIND_SYSV, .alias = 2 },
	};
	const struct thing second[] = {
		{ 7, "a", 4096, { { 11, 1, MAPPED, NULL } }, .kind = MEMOIR_KIND_SYSV },
	};
	const struct thing third[] = {
		{ 7, "a", 4096, { { 12, 1, MAPPED, NULL } }, .kind = MEMOIR_KIND_SYSV },
		{ 7, "a", 4096, { { 11, 1, MAPPED, NULL } }, .kind = MEMOIR_KIND_SYSV, .alias = 2 },
	};
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(both));
	look_twice(&s, THINGS(second));
	assert_string_equal(s.text, "left 7 10 test 0+1\nfreed 7 a\n");
	look(&s, THINGS(third));
	assert_string_equal(s.text, "created 7 a\nheld 7 12 test 0+1\n");
	look_twice(&s, NOTHING);
	assert_string_equal(s.text, "left 7#2 11 test 0+1\nfreed 7#2 a\n"
				    "left 7 12 test 0+1\nfreed 7 a\n");
	end(&s);
}

static void what_may_live_on_is_not_called_freed(void **state)
{
	const struct thing things[] = {
		{ 6,
		  "/dev/shm/x",
		  4096,
		  { { 10, 1, 3, NULL } },
		  MEMOIR_KIND_SHMEM,
		  MEMOIR_FATE_KEPT },
		{ 7, "seg", 4096, { { 10, 1, MAPPED, NULL } }, MEMOIR_KIND_SYSV, MEMOIR_FATE_KEPT },
	};
	const struct thing segment[] = {
		{ 7, "seg", 4096, { { 0 } }, MEMOIR_KIND_SYSV, MEMOIR_FATE_KEPT },
	};
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, NOTHING);
	look(&s, THINGS(things));
	assert_string_equal(s.text, "opened 6 /dev/shm/x\nheld 6 10 test 1+0\n"
				    "created 7 seg\nheld 7 10 test 0+1\n");
	look(&s, THINGS(segment));
	look(&s, THINGS(segment));
	assert_string_equal(s.text, "left 6 10 test 1+0\nunheld 6 /dev/shm/x linked\n"
				    "left 7 10 test 0+1\nunheld 7 seg linked\n");
	look_twice(&s, NOTHING);
	assert_string_equal(s.text, "freed 7 seg\n");
	/* Nobody knows whether a file that was opened before is a new one. */
	look(&s, things, 1);
	assert_string_equal(s.text, "opened 6 /dev/shm/x\nheld 6 10 test 1+0\n");
	end(&s);
}

/* Of a file whose fate nobody knows it is not said; of what a program announces it decides. */
static void a_fate_that_is_not_known_is_not_made_up(void **state)
{
	const struct thing things[] = {
		{ 8, "?", 4096, { { 10, 1, MAPPED, NULL } }, MEMOIR_KIND_SHMEM, UNKNOWN },
		{ 8,
		  "handle",
		  4096,
		  { { 10, 1, MEMOIR_NO_FD, NULL } },
		  MEMOIR_KIND_ANNOUNCED,
		  UNKNOWN },
	};
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(things));
	look_in_flight(&s, NOTHING, 1);
	look_in_flight(&s, NOTHING, 1);
	assert_string_equal(s.text, "left 8 10 test 0+1\nunheld 8 ? unknown\n"
				    "left 8 10 test 0+0\nfreed 8 handle\n");
	end(&s);
}

static void a_buffer_in_flight_is_the_same_when_it_is_received(void **state)
{
	const struct thing sent[] = { { 7, "a", 4096, { { 10, 1, 3, NULL } } } };
	const struct thing received[] = { { 7, "a", 4096, { { 11, 1, 3, NULL } } } };
	struct scene s;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(sent));
	look_in_flight(&s, NOTHING, 1);
	look_in_flight(&s, NOTHING, 1);
	assert_string_equal(s.text, "left 7 10 test 1+0\nunheld 7 a in-flight\n");
	look_in_flight(&s, NOTHING, 1);
	assert_string_equal(s.text, "");
	assert_false(memoir_buffer_watch_unsure(s.watch));
	look(&s, THINGS(received));
	assert_string_equal(s.text, "held 7 11 test 1+0\n");
	/* And one that is never received is gone with the last message. */
	look_in_flight(&s, NOTHING, 1);
	look_in_flight(&s, NOTHING, 1);
	look(&s, NOTHING);
	assert_string_equal(s.text, "freed 7 a\n");
	end(&s);
}

static void selectors_mean_buffers_and_processes(void **state)
{
	const struct thing things[] = {
		{ 7, "a", 4096, { { 10, 1, 3, "sh" }, { 11, 1, 3, "cat" } } },
		{ 8, "b", 4096, { { 10, 1, 4, "sh" } } },
	};
	const struct thing later[] = {
		{ 7, "a", 4096, { { 10, 1, 3, "sh" } } },
		{ 8, "b", 4096, { { 10, 1, 4, "sh" } } },
	};
	struct memoir_buffer_watch *watch;
	size_t count;
	uint64_t dropped;
	struct scene s;

	(void)state;
	begin(&s, "name:b");
	look(&s, NOTHING);
	look(&s, THINGS(things));
	assert_string_equal(s.text, "created 8 b\nheld 8 10 sh 1+0\n");
	assert_int_equal(memoir_buffer_watch_peaks(s.watch, &count, &dropped)->peak_bytes, 4096);
	assert_int_equal(count, 1);
	end(&s);
	begin(&s, "comm:cat");
	watch = s.watch;
	look(&s, NOTHING);
	look(&s, THINGS(things));
	assert_string_equal(s.text, "created 7 a\nheld 7 11 cat 1+0\n");
	look_twice(&s, THINGS(later));
	assert_string_equal(s.text, "left 7 11 cat 1+0\n");
	/* It was one that a process that is meant held. */
	look_twice(&s, NOTHING);
	assert_string_equal(s.text, "freed 7 a\n");
	assert_string_equal(memoir_buffer_watch_peaks(watch, &count, &dropped)->tag, "a");
	assert_int_equal(count, 1);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_a_buffer_is_told_in_order),
		cmocka_unit_test(what_was_there_at_the_beginning_did_not_come),
		cmocka_unit_test(what_is_missing_once_did_not_go),
		cmocka_unit_test(a_pid_that_is_used_again_is_another_process),
		cmocka_unit_test(exec_is_no_event),
		cmocka_unit_test(an_id_that_is_used_again_is_another_buffer),
		cmocka_unit_test(ids_stay_though_their_order_changes),
		cmocka_unit_test(what_may_live_on_is_not_called_freed),
		cmocka_unit_test(a_fate_that_is_not_known_is_not_made_up),
		cmocka_unit_test(a_buffer_in_flight_is_the_same_when_it_is_received),
		cmocka_unit_test(selectors_mean_buffers_and_processes),
	};

	return cmocka_run_group_tests_name("buffer-watch", tests, NULL, NULL);
}
