// SPDX-License-Identifier: MIT
/*
 * The peaks of buffers by tag, and many and hostile buffers from look to look.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "buffer_scene.h"

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
		cmocka_unit_test(the_peak_of_a_tag_is_that_of_one_moment),
		cmocka_unit_test(a_hundred_thousand_buffers_are_compared),
		cmocka_unit_test(tags_that_are_made_up_are_dropped),
		cmocka_unit_test(many_with_one_id_are_compared_in_time),
		cmocka_unit_test(hostile_tags_are_kept_as_they_are),
	};

	return cmocka_run_group_tests_name("buffer-peaks", tests, NULL, NULL);
}
