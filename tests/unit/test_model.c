// SPDX-License-Identifier: MIT
/*
 * The snapshot as data: what is put in comes out of the getters; needs neither kernel nor files.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "snapshot/model.h"

static int new_snapshot(void **state)
{
	*state = snapshot_new();
	return *state ? 0 : -1;
}

static int free_snapshot(void **state)
{
	memoir_snapshot_free(*state);
	return 0;
}

/* The names are a contract: JSON, SQL and the documentation say them. */
static void every_value_has_its_name_and_no_other_has_one(void **state)
{
	static const char *const figures[] = {
		"rss_bytes",   "pss_bytes",      "uss_bytes",     "shared_bytes",
		"swap_bytes",  "swap_pss_bytes", "anon_bytes",    "file_bytes",
		"shmem_bytes", "thp_bytes",      "hugetlb_bytes",
	};
	static const char *const kinds[] = {
		"anon",        "heap",           "stack",         "file",
		"shmem",       "memfd",          "shared-anon",   "sysv",
		"hugetlb",     "dmabuf",         "device",        "drm",
		"guest-memfd", "secretmem",      "vdso",          "special",
		"guard",       "thread-stack",   "arena:glibc",   "arena:python",
		"heap:java",   "metaspace:java", "code:java",     "heap:v8",
		"heap:go",     "heap:jemalloc",  "heap:mimalloc", "heap:musl",
		"jit",         "io-uring",       "perf",          "announced",
	};
	static const char *const engines[] = { "auto", "tables", "scan", "text", "smaps" };
	static const char *const sources[] = { NULL,         "kernel", "table",
					       "supervisor", "prctl",  "path" };

	(void)state;
	assert_int_equal(sizeof(figures) / sizeof(figures[0]), MEMOIR_FIGURES);
	assert_int_equal(sizeof(kinds) / sizeof(kinds[0]), MEMOIR_KINDS);
	assert_int_equal(sizeof(sources) / sizeof(sources[0]), MEMOIR_NAME_SOURCES);
	for (int i = 0; i < MEMOIR_FIGURES; i++)
		assert_string_equal(memoir_figure_name(i), figures[i]);
	for (int i = 0; i < MEMOIR_KINDS; i++)
		assert_string_equal(memoir_kind_name(i), kinds[i]);
	for (int i = 0; i < 5; i++)
		assert_string_equal(memoir_engine_name(i), engines[i]);
	assert_null(memoir_name_source_name(MEMOIR_NAME_NONE));
	for (int i = 1; i < MEMOIR_NAME_SOURCES; i++)
		assert_string_equal(memoir_name_source_name(i), sources[i]);
	assert_null(memoir_figure_name(MEMOIR_FIGURES));
	assert_null(memoir_kind_name(MEMOIR_KINDS));
	assert_null(memoir_name_source_name(MEMOIR_NAME_SOURCES));
	assert_null(memoir_engine_name(MEMOIR_ENGINE_SMAPS + 1));
	assert_null(memoir_kind_name(-1));
}

static void object_ids_are_as_maps_prints_device_and_inode(void **state)
{
	struct memoir_object object = {
		.kind = MEMOIR_KIND_FILE, .dev_major = 0xfe, .dev_minor = 1, .inode = 131
	};
	char buf[MEMOIR_OBJECT_ID_MAX];

	(void)state;
	assert_ptr_equal(memoir_object_id(&object, buf), buf);
	assert_string_equal(buf, "file:fe:01:131");
	object.alias = 2;
	assert_string_equal(memoir_object_id(&object, buf), "file:fe:01:131#2");
	object = (struct memoir_object){ .is_family = true, .inode = 7 };
	assert_string_equal(memoir_object_id(&object, buf), "family:7");
	object = (struct memoir_object){ .kind = MEMOIR_KIND_SHARED_ANON,
					 .dev_major = UINT32_MAX,
					 .dev_minor = UINT32_MAX,
					 .inode = UINT64_MAX,
					 .alias = UINT32_MAX };
	assert_string_equal(memoir_object_id(&object, buf),
			    "shared-anon:ffffffff:ffffffff:18446744073709551615#4294967295");
}

static void elements_come_zeroed_and_are_found_by_index(void **state)
{
	struct memoir_snapshot *s = *state;

	for (uint32_t i = 0; i < 1000; i++) {
		struct memoir_process *p = snapshot_add_process(s);
		struct memoir_region *r = snapshot_add_region(s);
		struct memoir_object *o = snapshot_add_object(s);

		assert_true(p && r && o);
		assert_int_equal(p->pid, 0);
		assert_int_equal(r->end, 0);
		assert_int_equal(o->inode, 0);
		p->pid = (pid_t)i + 1;
		r->start = i;
		o->inode = i;
	}
	assert_int_equal(memoir_snapshot_process_count(s), 1000);
	assert_int_equal(memoir_snapshot_region_count(s), 1000);
	assert_int_equal(memoir_snapshot_object_count(s), 1000);
	assert_int_equal(memoir_snapshot_process(s, 999)->pid, 1000);
	assert_int_equal(memoir_snapshot_region(s, 500)->start, 500);
	assert_int_equal(memoir_snapshot_object(s, 0)->inode, 0);
	assert_null(memoir_snapshot_process(s, 1000));
	assert_null(memoir_snapshot_region(s, SIZE_MAX));
	assert_null(memoir_snapshot_object(s, 1000));
}

static void equal_strings_are_one_and_null_stays_null(void **state)
{
	struct memoir_snapshot *s = *state;
	char bytes[] = { 'a', '\xff', '\n', 'b' };
	const char *kept = snapshot_string_n(s, bytes, sizeof(bytes));

	assert_string_equal(kept, "a\xff\nb");
	assert_ptr_equal(snapshot_string(s, "a\xff\nb"), kept);
	assert_ptr_not_equal(snapshot_string(s, "a"), kept);
	assert_null(snapshot_string(s, NULL));
	assert_null(snapshot_string_n(s, NULL, 0));
}

static void a_note_makes_the_snapshot_partial_and_is_kept_whole(void **state)
{
	struct memoir_snapshot *s = *state;
	char longer[3000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_false(memoir_snapshot_partial(s));
	assert_null(memoir_snapshot_note(s, 0));
	assert_int_equal(snapshot_note(s, "%d processes %s", 3, longer), 0);
	assert_true(memoir_snapshot_partial(s));
	assert_int_equal(memoir_snapshot_note_count(s), 1);
	assert_int_equal(strlen(memoir_snapshot_note(s, 0)), strlen(longer) + 12);
	assert_null(memoir_snapshot_note(s, 1));
}

static void meminfo_tells_bytes_or_enodata(void **state)
{
	struct memoir_snapshot *s = *state;
	uint64_t bytes = 42;

	assert_int_equal(snapshot_add_meminfo(s, "MemTotal", 4096), 0);
	assert_int_equal(memoir_snapshot_meminfo(s, "MemFree", &bytes), -ENODATA);
	assert_int_equal(bytes, 42);
	assert_int_equal(memoir_snapshot_meminfo(s, "MemTotal", &bytes), 0);
	assert_int_equal(bytes, 4096);
}

static void a_pid_is_found_as_itself_before_it_is_found_as_a_peer(void **state)
{
	struct memoir_snapshot *s = *state;
	pid_t *peers = malloc(2 * sizeof(*peers));
	struct memoir_process *first = snapshot_add_process(s);

	assert_non_null(peers);
	peers[0] = 20;
	peers[1] = 30;
	*first = (struct memoir_process){ .pid = 10, .peers = peers, .peer_count = 2 };
	snapshot_add_process(s)->pid = 20;
	assert_int_equal(memoir_snapshot_find_pid(s, 10)->pid, 10);
	assert_int_equal(memoir_snapshot_find_pid(s, 20)->pid, 20);
	assert_int_equal(memoir_snapshot_find_pid(s, 30)->pid, 10);
	assert_null(memoir_snapshot_find_pid(s, 40));
}

static void add_region_of(struct memoir_snapshot *s, uint32_t process, uint64_t rss, uint32_t known)
{
	struct memoir_region *r = snapshot_add_region(s);

	r->process = process;
	r->figures.bytes[MEMOIR_RSS] = rss;
	r->figures.bytes[MEMOIR_PSS] = 1;
	r->figures.known = known;
}

static void a_process_is_the_sum_of_what_is_known_of_its_regions(void **state)
{
	struct memoir_snapshot *s = *state;
	const uint32_t rss = 1u << MEMOIR_RSS, pss = 1u << MEMOIR_PSS;

	for (int i = 0; i < 4; i++)
		*snapshot_add_process(s) = (struct memoir_process){ .in_scope = true };
	s->processes[0].region_count = 2;
	s->processes[0].readable = true;
	s->processes[1].first_region = 2;
	s->processes[1].region_count = 1;
	s->processes[1].in_scope = false;
	s->processes[2].readable = true;
	add_region_of(s, 0, 4096, rss);
	add_region_of(s, 0, 8192, rss | pss);
	add_region_of(s, 1, 4096, rss);
	s->processes[0].figures.bytes[MEMOIR_RSS] = 77;
	snapshot_sum_processes(s);
	assert_int_equal(s->processes[0].figures.bytes[MEMOIR_RSS], 12288);
	assert_int_equal(s->processes[0].figures.bytes[MEMOIR_PSS], 1);
	assert_int_equal(s->processes[0].figures.known, rss | pss);
	assert_int_equal(s->processes[1].figures.known, 0);
	/* Nothing mapped is nothing used; nothing readable is nothing known. */
	assert_int_equal(s->processes[2].figures.known, (1u << MEMOIR_FIGURES) - 1);
	assert_int_equal(s->processes[3].figures.known, 0);
}

static void sums_of_absurd_figures_stay_at_the_largest_number(void **state)
{
	struct memoir_snapshot *s = *state;

	*snapshot_add_process(s) = (struct memoir_process){ .in_scope = true, .region_count = 3 };
	for (int i = 0; i < 3; i++)
		add_region_of(s, 0, INT64_MAX, 1u << MEMOIR_RSS);
	snapshot_sum_processes(s);
	assert_true(s->processes[0].figures.bytes[MEMOIR_RSS] == UINT64_MAX);
}

static void freeing_nothing_is_fine(void **state)
{
	(void)state;
	memoir_snapshot_free(NULL);
}

#define ON_SNAPSHOT(test) cmocka_unit_test_setup_teardown(test, new_snapshot, free_snapshot)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_has_its_name_and_no_other_has_one),
		cmocka_unit_test(object_ids_are_as_maps_prints_device_and_inode),
		ON_SNAPSHOT(elements_come_zeroed_and_are_found_by_index),
		ON_SNAPSHOT(equal_strings_are_one_and_null_stays_null),
		ON_SNAPSHOT(a_note_makes_the_snapshot_partial_and_is_kept_whole),
		ON_SNAPSHOT(meminfo_tells_bytes_or_enodata),
		ON_SNAPSHOT(a_pid_is_found_as_itself_before_it_is_found_as_a_peer),
		ON_SNAPSHOT(a_process_is_the_sum_of_what_is_known_of_its_regions),
		ON_SNAPSHOT(sums_of_absurd_figures_stay_at_the_largest_number),
		cmocka_unit_test(freeing_nothing_is_fine),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
