// SPDX-License-Identifier: MIT
/*
 * What becomes of buffers from look to look, by snapshots that are made up.
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
#include <memoir/buffers.h>

#include "analysis/buffer_watch.h"
#include "snapshot/model.h"

#define MAPPED (-100)
#define UNKNOWN 255 /* a fate */

/* A buffer and up to three that hold it. */
struct thing {
	uint64_t inode;
	const char *tag;
	uint64_t bytes;
	struct {
		pid_t pid; /* 0: nobody */
		uint64_t start_ticks;
		int fd; /* or MAPPED */
		const char *comm;
	} held[3];
	uint8_t kind; /* 0: memfd */
	uint8_t fate; /* 0: freed with its last holder; or UNKNOWN */
	uint32_t alias;
	bool unknown; /* what of it is in RAM */
};

struct scene {
	struct memoir_buffer_watch *watch;
	struct memoir_selection *selection;
	uint64_t now;
	char text[4096]; /* what was told of */
	size_t events;
};

static void begin(struct scene *s, const char *selector)
{
	memset(s, 0, sizeof(*s));
	if (selector)
		assert_int_equal(memoir_selection_parse(&selector, 1, &s->selection, NULL), 0);
	assert_int_equal(memoir_buffer_watch_new(s->selection, &s->watch), 0);
}

static void end(struct scene *s)
{
	memoir_buffer_watch_free(s->watch);
	memoir_selection_free(s->selection);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static uint32_t process_of(struct memoir_snapshot *s, pid_t pid, uint64_t start_ticks,
			   const char *comm)
{
	for (uint32_t i = 0; i < s->process_count; i++)
		if (s->processes[i].pid == pid && s->processes[i].start_ticks == start_ticks)
			return i;
	*snapshot_add_process(s) = (struct memoir_process){
		.pid = pid,
		.start_ticks = start_ticks,
		.comm = snapshot_string(s, comm ? comm : "test"),
		.in_scope = true,
		.readable = true,
	};
	return (uint32_t)s->process_count - 1;
}

static void add_thing(struct memoir_snapshot *s, const struct thing *thing)
{
	uint32_t object = (uint32_t)s->object_count;

	*snapshot_add_object(s) = (struct memoir_object){
		.kind = thing->kind ? thing->kind : MEMOIR_KIND_MEMFD,
		.dev_minor = 1,
		.inode = thing->inode,
		.alias = thing->alias,
		.tag = snapshot_string(s, thing->tag),
		.size_bytes = 2 * thing->bytes,
		.resident_bytes = thing->bytes,
		.resident_known = !thing->unknown,
		.fate = thing->fate == UNKNOWN ? MEMOIR_FATE_UNKNOWN
			: thing->fate          ? thing->fate
					       : MEMOIR_FATE_FREED,
	};
	for (size_t i = 0; i < 3 && thing->held[i].pid; i++) {
		uint32_t process = process_of(s, thing->held[i].pid, thing->held[i].start_ticks,
					      thing->held[i].comm);

		if (thing->held[i].fd == MAPPED)
			*snapshot_add_region(s) = (struct memoir_region){
				.start = 4096 * s->region_count,
				.end = 4096 * (s->region_count + 1),
				.process = process,
				.object = object,
				.family = MEMOIR_NONE,
			};
		else
			*snapshot_add_holder(s) =
				(struct memoir_holder){ object, process, thing->held[i].fd };
	}
}

/* "created 7 a", "held 7 a by 10", one a line. */
static void tell(const struct memoir_buffer_change *change, void *arg)
{
	struct scene *s = arg;
	const char *inode = strrchr(change->id, ':');
	size_t len = strlen(s->text), room = sizeof(s->text) - len;

	s->events++;
	assert_int_equal(change->time_ns, s->now);
	assert_non_null(inode);
	if (room < 512)
		return;
	len += (size_t)snprintf(s->text + len, room, "%s %s",
				memoir_buffer_event_name(change->event), inode + 1);
	if (change->event == MEMOIR_BUFFER_RENAMED)
		len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, " %s ->",
					change->old_tag ? change->old_tag : "-");
	if (change->event != MEMOIR_BUFFER_HELD && change->event != MEMOIR_BUFFER_LEFT)
		len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, " %s",
					change->tag ? change->tag : "-");
	else
		len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, " %d %s %u+%u",
					(int)change->pid, change->comm, change->fds,
					change->ranges);
	if (change->why)
		len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, " %s", change->why);
	snprintf(s->text + len, sizeof(s->text) - len, "\n");
}

static void look_at(struct scene *s, struct memoir_snapshot *snapshot)
{
	snapshot->taken_ns = ++s->now;
	snapshot->holders_known = snapshot->buffers_known = true;
	s->text[0] = '\0';
	s->events = 0;
	assert_int_equal(memoir_buffer_watch_look(s->watch, snapshot, tell, s), 0);
	memoir_snapshot_free(snapshot);
}

static void look_in_flight(struct scene *s, const struct thing *things, size_t count,
			   size_t in_flight)
{
	struct memoir_snapshot *snapshot = snapshot_new();

	assert_non_null(snapshot);
	for (size_t i = 0; i < count; i++)
		add_thing(snapshot, &things[i]);
	if (in_flight)
		*snapshot_add_in_flight(snapshot) = (struct memoir_in_flight){
			.socket = 5,
			.process = process_of(snapshot, 1, 1, NULL),
			.files = (uint32_t)in_flight,
		};
	look_at(s, snapshot);
}

static void look(struct scene *s, const struct thing *things, size_t count)
{
	look_in_flight(s, things, count, 0);
}

/* What is missing is told of at the second look. */
static void look_twice(struct scene *s, const struct thing *things, size_t count)
{
	look(s, things, count);
	assert_string_equal(s->text, "");
	assert_true(memoir_buffer_watch_unsure(s->watch));
	look(s, things, count);
	assert_false(memoir_buffer_watch_unsure(s->watch));
}

#define NOTHING NULL, 0
#define THINGS(array) array, sizeof(array) / sizeof((array)[0])

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

/* ---- peaks ---------------------------------------------------------------------------------- */

static void the_peak_of_a_tag_is_that_of_one_moment(void **state)
{
	const struct thing two[] = {
		{ 7, "a", 4096, { { 10, 1, 3, NULL } } },
		{ 8, "a", 4096, { { 10, 1, 4, NULL } } },
		{ 9, NULL, 64, { { 10, 1, 5, NULL } }, .unknown = true },
	};
	const struct thing one[] = { { 6, "a", 5000, { { 10, 1, 3, NULL } } } };
	const struct memoir_buffer_peak *peaks;
	uint64_t dropped, own_bytes;
	struct scene s;
	size_t count;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(one));
	look(&s, THINGS(two));
	look(&s, THINGS(one));
	peaks = memoir_buffer_watch_peaks(s.watch, &count, &dropped);
	assert_int_equal(count, 2);
	assert_int_equal(dropped, 0);
	assert_string_equal(peaks[0].tag, "a");
	assert_string_equal(peaks[0].kind, "memfd");
	assert_int_equal(peaks[0].peak_bytes, 8192);
	assert_int_equal(peaks[0].peak_time_ns, 2);
	assert_int_equal(peaks[0].peak_size_bytes, 16384);
	assert_int_equal(peaks[0].peak_buffers, 2);
	assert_int_equal(peaks[0].bytes, 5000);
	assert_int_equal(peaks[0].buffers, 1);
	assert_null(peaks[1].tag);
	assert_false(peaks[1].peak_known);
	assert_int_equal(peaks[1].peak_size_bytes, 128);
	assert_int_equal(memoir_buffer_watch_count(s.watch, &own_bytes), 1);
	assert_int_equal(own_bytes, 5000);
	end(&s);
}

/* ---- many and hostile ------------------------------------------------------------------------ */

static struct memoir_snapshot *many(uint64_t first, size_t count, bool each_its_own)
{
	struct memoir_snapshot *snapshot = snapshot_new();
	char tag[64];

	assert_non_null(snapshot);
	for (size_t i = 0; i < count; i++) {
		snprintf(tag, sizeof(tag), "tag %zu", each_its_own ? (size_t)first + i : 0);
		add_thing(snapshot,
			  &(struct thing){ first + i, tag, 4096, { { 10, 1, (int)i, NULL } } });
	}
	return snapshot;
}

static void a_hundred_thousand_buffers_are_compared(void **state)
{
	const size_t count = 100000;
	uint64_t dropped;
	struct scene s;
	size_t tags;

	(void)state;
	begin(&s, NULL);
	look(&s, NOTHING);
	look_at(&s, many(1, count, false));
	assert_int_equal(s.events, 2 * count);
	look_at(&s, many(1, count, false));
	assert_int_equal(s.events, 0);
	look_at(&s, many(1 + count / 2, count, false));
	assert_int_equal(s.events, count);
	look_at(&s, many(1 + count / 2, count, false));
	assert_int_equal(s.events, count);
	assert_int_equal(memoir_buffer_watch_peaks(s.watch, &tags, &dropped)->peak_buffers, count);
	assert_int_equal(tags, 1);
	end(&s);
}

/* Who calls each buffer something else fills no memory; the highest peaks stay. */
static void tags_that_are_made_up_are_dropped(void **state)
{
	const struct thing large[] = { { 1, "large", 1 << 30, { { 10, 1, 3, NULL } } } };
	const struct memoir_buffer_peak *peaks;
	uint64_t dropped = 0;
	struct scene s;
	size_t count;

	(void)state;
	begin(&s, NULL);
	look(&s, THINGS(large));
	for (uint64_t i = 0; i < 8; i++) {
		look_at(&s, many(2 + i * 10000, 10000, true));
		peaks = memoir_buffer_watch_peaks(s.watch, &count, &dropped);
		assert_in_range(count, 1, PEAKS_MAX + 10000);
		assert_string_equal(peaks[0].tag, "large");
	}
	assert_int_equal(dropped + count, 80001);
	end(&s);
}

/* One id for very many, all by different processes: not compared each with each. */
static void many_with_one_id_are_compared_in_time(void **state)
{
	const uint32_t count = 20000;
	struct scene s;

	(void)state;
	begin(&s, NULL);
	for (int round = 0; round < 3; round++) {
		struct memoir_snapshot *snapshot = snapshot_new();

		assert_non_null(snapshot);
		for (uint32_t i = 0; i < count; i++) {
			*snapshot_add_object(snapshot) = (struct memoir_object){
				.kind = MEMOIR_KIND_SYSV,
				.inode = 0,
				.alias = i ? i + 1 : 0,
				.fate = MEMOIR_FATE_UNKNOWN,
			};
		}
		look_at(&s, snapshot);
		assert_int_equal(s.events, 0);
	}
	end(&s);
}

static void hostile_tags_are_kept_as_they_are(void **state)
{
	const struct thing things[] = {
		{ 7, "\x1b[2J\n\xff", 4096, { { 10, 1, 3, "a\nb" } } },
		{ 8, "", 4096, { { 10, 1, 4, "a\nb" } } },
		{ 9, NULL, 4096, { { 10, 1, 5, "a\nb" } } },
	};
	uint64_t dropped;
	struct scene s;
	size_t count;

	(void)state;
	begin(&s, NULL);
	look(&s, NOTHING);
	look(&s, THINGS(things));
	assert_string_equal(s.text, "created 7 \x1b[2J\n\xff\nheld 7 10 a\nb 1+0\n"
				    "created 8 \nheld 8 10 a\nb 1+0\n"
				    "created 9 -\nheld 9 10 a\nb 1+0\n");
	/* No tag and an empty one are two. */
	memoir_buffer_watch_peaks(s.watch, &count, &dropped);
	assert_int_equal(count, 3);
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
		cmocka_unit_test(the_peak_of_a_tag_is_that_of_one_moment),
		cmocka_unit_test(a_hundred_thousand_buffers_are_compared),
		cmocka_unit_test(tags_that_are_made_up_are_dropped),
		cmocka_unit_test(many_with_one_id_are_compared_in_time),
		cmocka_unit_test(hostile_tags_are_kept_as_they_are),
	};

	return cmocka_run_group_tests_name("buffer-watch", tests, NULL, NULL);
}
