// SPDX-License-Identifier: MIT
/*
 * The lines of the ledger, what is easy to get back, and sums by object: of snapshots made by hand.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/easy.h"
#include "analysis/ledger.h"
#include "analysis/object_sums.h"
#include "snapshot/model.h"

static uint64_t line_bytes(const struct ledger *ledger, const char *line)
{
	for (size_t i = 0; i < ledger->count; i++)
		if (strcmp(ledger->lines[i].line, line) == 0)
			return ledger->lines[i].bytes;
	fail_msg("there is no line %s", line);
	return 0;
}

static bool has_line(const struct ledger *ledger, const char *line)
{
	for (size_t i = 0; i < ledger->count; i++)
		if (strcmp(ledger->lines[i].line, line) == 0)
			return true;
	return false;
}

static uint64_t sum_lines(const struct ledger *ledger)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ledger->count; i++)
		bytes += ledger->lines[i].bytes;
	return bytes;
}

static struct ledger ledger_of(const struct memoir_snapshot *s)
{
	struct ledger ledger;

	assert_int_equal(ledger_make(s, &ledger), 0);
	return ledger;
}

struct line {
	const char *key;
	uint64_t bytes;
};

static void add_lines(struct memoir_snapshot *s, const struct line *lines)
{
	for (; lines->key; lines++)
		assert_int_equal(snapshot_add_meminfo(s, lines->key, lines->bytes), 0);
}

static struct memoir_snapshot *snapshot_of(const struct line *lines)
{
	struct memoir_snapshot *s = snapshot_new();

	assert_non_null(s);
	add_lines(s, lines);
	return s;
}

static void add_process(struct memoir_snapshot *s, pid_t pid)
{
	struct memoir_process *process = snapshot_add_process(s);

	process->pid = pid;
	process->comm = pid == 1 ? "one" : "other";
	process->in_scope = true;
	process->first_region = (uint32_t)s->region_count;
}

/* A region of the process added last. */
static struct memoir_region *add_region(struct memoir_snapshot *s, uint64_t pss_bytes)
{
	struct memoir_region *region = snapshot_add_region(s);

	region->process = (uint32_t)s->process_count - 1;
	region->object = region->family = MEMOIR_NONE;
	region->figures.bytes[MEMOIR_PSS] = pss_bytes;
	region->figures.known = 1u << MEMOIR_PSS;
	s->processes[s->process_count - 1].region_count++;
	return region;
}

/* ---- by the counters of meminfo ------------------------------------------------------------- */

static const struct line small_machine[] = {
	{ "MemFree", 1000 },   { "Cached", 500 },      { "Shmem", 120 },
	{ "Mapped", 210 },     { "AnonPages", 333 },   { "KernelStack", 11 },
	{ "VmallocUsed", 30 }, { "SReclaimable", 40 }, { NULL, 0 },
};

static void without_frames_counters_add_up_to_memtotal(void **state)
{
	struct memoir_snapshot *s = snapshot_of(small_machine);

	(void)state;
	snapshot_add_meminfo(s, "MemTotal", 5000);
	/* Two processes map 100 bytes of shmem: half of each is its PSS. */
	for (pid_t pid = 1; pid <= 2; pid++) {
		add_process(s, pid);
		struct memoir_region *region = add_region(s, 50);

		region->figures.bytes[MEMOIR_SHMEM] = 100;
		region->figures.known |= 1u << MEMOIR_SHMEM;
	}
	struct ledger ledger = ledger_of(s);

	assert_false(ledger.by_frames);
	assert_int_equal(ledger.total_bytes, 5000);
	assert_int_equal(ledger.excess_bytes, 0);
	assert_int_equal(sum_lines(&ledger), 5000);
	assert_int_equal(line_bytes(&ledger, "shmem"), 120);
	assert_int_equal(line_bytes(&ledger, "mapped file"), 110);
	assert_int_equal(line_bytes(&ledger, "unmapped page cache"), 270);
	assert_int_equal(line_bytes(&ledger, "vmalloc, without stacks"), 19);
	assert_int_equal(line_bytes(&ledger, "other kernel (no counter)"),
			 5000 - 1000 - 500 - 333 - 30 - 40);
	memoir_snapshot_free(s);
}

static void counters_that_exceed_memtotal_are_cut_and_told(void **state)
{
	struct memoir_snapshot *s = snapshot_of(small_machine);

	(void)state;
	snapshot_add_meminfo(s, "MemTotal", 1900);
	struct ledger ledger = ledger_of(s);

	assert_int_equal(sum_lines(&ledger), 1900);
	assert_int_equal(line_bytes(&ledger, "other kernel (no counter)"), 0);
	assert_int_equal(line_bytes(&ledger, "vmalloc, without stacks"), 16);
	assert_int_equal(ledger.excess_bytes, 3);
	memoir_snapshot_free(s);
}

static void without_memtotal_there_is_no_ledger(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct ledger ledger;

	(void)state;
	assert_int_equal(ledger_make(s, &ledger), -ENODATA);
	memoir_snapshot_free(s);
}

/* ---- by frames ------------------------------------------------------------------------------ */

static const struct line counted_machine[] = {
	{ "MemTotal", 100000 },
	/* These two are not asked where frames are counted. */
	{ "MemFree", 1 },
	{ "AnonPages", 2 },
	{ "Buffers", 30 },
	{ "SReclaimable", 400 },
	{ "SUnreclaim", 300 },
	{ "KernelStack", 16 },
	{ "VmallocUsed", 116 },
	{ "Percpu", 50 },
	{ "zram_store_bytes", 600 },
	{ "zone_managed_bytes", 99000 },
	{ "zone_per_cpu_free_bytes", 70 },
	{ "hugetlb_free_bytes", 2048 },
	{ "hugetlb_reserved_bytes", 1024 },
	{ "frames:free", 50000 },
	{ "frames:anon", 20000 },
	{ "frames:anon_huge", 4096 },
	{ "frames:anon_lazy", 12 },
	{ "frames:anon_unmapped", 8 },
	{ "frames:swap_cache", 4 },
	{ "frames:file_mapped", 1000 },
	{ "frames:cache_clean", 3000 },
	{ "frames:cache_dirty", 100 },
	{ "frames:shmem_mapped", 700 },
	{ "frames:shmem_unmapped", 300 },
	{ "frames:hugetlb", 6144 },
	{ "frames:slab", 650 },
	{ "frames:page_table", 90 },
	{ "frames:poisoned", 5 },
	{ "frames:reserved", 777777 },
	{ "frames:other", 888888 },
	{ NULL, 0 },
};

static void frames_add_up_to_memtotal(void **state)
{
	struct memoir_snapshot *s = snapshot_of(counted_machine);
	struct ledger ledger = ledger_of(s);

	(void)state;
	assert_true(ledger.by_frames);
	assert_int_equal(ledger.total_bytes, 100000);
	assert_int_equal(sum_lines(&ledger), 100000);
	assert_int_equal(ledger.excess_bytes, 0);
	assert_int_equal(line_bytes(&ledger, "anonymous, small pages"), 20000);
	assert_int_equal(line_bytes(&ledger, "anonymous, huge pages"), 4096);
	assert_int_equal(line_bytes(&ledger, "unmapped page cache"), 3000 + 100 - 30);
	assert_int_equal(line_bytes(&ledger, "buffers"), 30);
	assert_int_equal(line_bytes(&ledger, "shmem, unmapped"), 300);
	assert_int_equal(line_bytes(&ledger, "hugetlb, in use"), 6144 - 2048);
	assert_int_equal(line_bytes(&ledger, "hugetlb, free"), 2048);
	assert_int_equal(line_bytes(&ledger, "slab, reclaimable"), 400);
	assert_int_equal(line_bytes(&ledger, "vmalloc, without stacks"), 100);
	assert_int_equal(line_bytes(&ledger, "zram"), 600);
	assert_int_equal(line_bytes(&ledger, "free, on per-CPU lists"), 70);
	memoir_snapshot_free(s);
}

/* By frames they are shared memory, by nobody's counter. */
static void udmabufs_without_memfds_are_in_one_line(void **state)
{
	struct memoir_snapshot *s = snapshot_of((struct line[]){ { "MemTotal", 1000 },
								 { "frames:free", 400 },
								 { "frames:shmem_unmapped", 300 },
								 { "dmabuf_bytes", 250 },
								 { "dmabuf_shmem_bytes", 200 },
								 { NULL, 0 } });
	struct ledger ledger = ledger_of(s);

	(void)state;
	assert_int_equal(sum_lines(&ledger), 1000);
	assert_int_equal(line_bytes(&ledger, "shmem, unmapped"), 100);
	assert_int_equal(line_bytes(&ledger, "dma-bufs"), 250);
	assert_int_equal(line_bytes(&ledger, "other kernel (no counter)"), 250);
	assert_int_equal(ledger.excess_bytes, 0);
	memoir_snapshot_free(s);
}

static void memory_not_given_to_zones_yet_is_free(void **state)
{
	struct memoir_snapshot *s = snapshot_of(counted_machine);
	struct ledger ledger = ledger_of(s);

	(void)state;
	assert_int_equal(line_bytes(&ledger, "free"), 50000 + (100000 - 99000));
	memoir_snapshot_free(s);
}

static void counters_get_no_more_than_frames_leave(void **state)
{
	struct memoir_snapshot *s = snapshot_of((struct line[]){ { "MemTotal", 1000 },
								 { "SReclaimable", 300 },
								 { "SUnreclaim", 100 },
								 { "Percpu", 900 },
								 { "zone_per_cpu_free_bytes", 5 },
								 { "frames:free", 400 },
								 { "frames:anon", 150 },
								 { NULL, 0 } });
	struct ledger ledger = ledger_of(s);

	(void)state;
	assert_int_equal(sum_lines(&ledger), 1000);
	assert_int_equal(line_bytes(&ledger, "free"), 400);
	assert_int_equal(line_bytes(&ledger, "anonymous, small pages"), 150);
	assert_int_equal(line_bytes(&ledger, "slab, reclaimable"), 300);
	assert_int_equal(line_bytes(&ledger, "per-cpu"), 50);
	assert_int_equal(line_bytes(&ledger, "free, on per-CPU lists"), 0);
	assert_int_equal(line_bytes(&ledger, "other kernel (no counter)"), 0);
	assert_int_equal(ledger.excess_bytes, 850 + 5);
	memoir_snapshot_free(s);
}

/* A snapshot may come from anybody. */
static void impossible_numbers_still_add_up(void **state)
{
	struct memoir_snapshot *s = snapshot_of((struct line[]){ { "MemTotal", 4096 },
								 { "frames:free", UINT64_MAX },
								 { "frames:anon", UINT64_MAX },
								 { "SReclaimable", UINT64_MAX },
								 { "VmallocUsed", 1 },
								 { "KernelStack", 2 },
								 { "zone_managed_bytes", 0 },
								 { NULL, 0 } });
	struct ledger ledger = ledger_of(s);

	(void)state;
	assert_int_equal(sum_lines(&ledger), 4096);
	assert_int_equal(line_bytes(&ledger, "free"), 4096);
	assert_true(ledger.excess_bytes == UINT64_MAX);
	memoir_snapshot_free(s);
}

static void what_is_not_known_has_no_line(void **state)
{
	struct memoir_snapshot *s = snapshot_of(
		(struct line[]){ { "MemTotal", 4096 }, { "frames:free", 1 }, { NULL, 0 } });
	struct ledger ledger = ledger_of(s);

	(void)state;
	assert_false(has_line(&ledger, "zram"));
	assert_false(has_line(&ledger, "zswap"));
	assert_false(has_line(&ledger, "memory balloon"));
	assert_false(has_line(&ledger, "hugetlb, free"));
	assert_int_equal(line_bytes(&ledger, "hugetlb pool"), 0);
	memoir_snapshot_free(s);
}

/* Every line at once: there has to be room. */
static void all_lines_fit(void **state)
{
	struct memoir_snapshot *s = snapshot_of(counted_machine);

	(void)state;
	add_lines(s, (struct line[]){ { "SecPageTables", 1 },
				      { "Zswap", 1 },
				      { "balloon_in_total_bytes", 1 },
				      { NULL, 0 } });
	struct ledger ledger = ledger_of(s);

	assert_in_range(ledger.count, 20, LEDGER_LINES_MAX);
	assert_int_equal(sum_lines(&ledger), 100000);
	assert_int_equal(line_bytes(&ledger, "memory balloon"), 1);
	memoir_snapshot_free(s);
}

/* ---- easy to get back ----------------------------------------------------------------------- */

static uint64_t easy_bytes(const struct easy *easy, const char *what)
{
	for (size_t i = 0; i < easy->count; i++)
		if (strcmp(easy->lines[i].what, what) == 0)
			return easy->lines[i].bytes;
	return 0;
}

static void easy_is_what_is_clean_or_unused(void **state)
{
	struct memoir_snapshot *s = snapshot_of(counted_machine);
	struct easy easy;

	(void)state;
	easy_make(s, NULL, &easy);
	assert_int_equal(easy_bytes(&easy, "clean page cache that nobody maps"), 3000);
	assert_int_equal(easy_bytes(&easy, "reclaimable slab"), 400);
	assert_int_equal(easy_bytes(&easy, "hugetlb pages that nobody uses"), 2048 - 1024);
	assert_int_equal(easy_bytes(&easy, "given up by its programs (MADV_FREE)"), 12);
	assert_int_equal(easy.count, 6);
	memoir_snapshot_free(s);
}

static void nothing_is_easy_that_is_not_known(void **state)
{
	struct memoir_snapshot *s = snapshot_of((struct line[]){ { "MemTotal", 4096 },
								 { "hugetlb_free_bytes", 4096 },
								 { "frames:swap_cache", 0 },
								 { NULL, 0 } });
	struct easy easy;

	(void)state;
	easy_make(s, NULL, &easy);
	assert_int_equal(easy.count, 0);
	memoir_snapshot_free(s);
}

/* Of five processes the three with the most, and none of which it is not known. */
static void the_processes_with_the_most_are_easy(void **state)
{
	static const uint64_t freed_bytes[] = { 10, 40, 20, 500, 30, 0 };
	struct memoir_footprint footprints[6] = { 0 };
	struct memoir_snapshot *s = snapshot_of(counted_machine);
	struct easy easy;

	(void)state;
	for (pid_t pid = 1; pid <= 6; pid++) {
		add_process(s, pid);
		footprints[pid - 1].freed_if_killed_bytes = freed_bytes[pid - 1];
		footprints[pid - 1].freed_if_killed_known = pid != 4;
	}
	easy_make(s, footprints, &easy);
	assert_int_equal(easy.count, 6 + 3);
	assert_null(easy.lines[5].process);
	assert_int_equal(easy.lines[6].process->pid, 2);
	assert_int_equal(easy.lines[6].bytes, 40);
	assert_int_equal(easy.lines[7].process->pid, 5);
	assert_int_equal(easy.lines[8].process->pid, 3);
	memoir_snapshot_free(s);
}

/* ---- by object ------------------------------------------------------------------------------ */

enum { FILE_OBJECT, FAMILY_OBJECT, UNMAPPED_OBJECT };

static void add_objects(struct memoir_snapshot *s)
{
	snapshot_add_object(s)->kind = MEMOIR_KIND_FILE;
	snapshot_add_object(s)->is_family = true;
	snapshot_add_object(s)->kind = MEMOIR_KIND_MEMFD;
}

static void add_set(struct memoir_snapshot *s, uint32_t parent, uint32_t region, uint32_t members,
		    uint64_t ram_bytes)
{
	*snapshot_add_set(s) = (struct memoir_set){
		.parent = parent,
		.region = region,
		.members = members,
		.ram_bytes = ram_bytes,
		.freed_bytes = ram_bytes,
	};
}

static const struct object_sum *find_object(const struct memoir_snapshot *s,
					    const struct object_sums *sums, uint32_t object)
{
	for (size_t i = 0; i < sums->count; i++)
		if (sums->rows[i].object == memoir_snapshot_object(s, object))
			return &sums->rows[i];
	fail_msg("there is no sum of object %u", object);
	return NULL;
}

/*
 * Two processes map a file privately; each has 100 bytes of it that both map, and of the copies
 * they have 60 together and 10 (the second) alone. The first has a heap of 40 of the same family too.
 */
static struct memoir_snapshot *private_mappings(void)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_region *region;

	add_objects(s);
	add_process(s, 1);
	region = add_region(s, 50 + 30);
	region->object = FILE_OBJECT;
	region->family = FAMILY_OBJECT;
	region->figures.bytes[MEMOIR_FILE] = 100;
	region = add_region(s, 40);
	region->family = FAMILY_OBJECT;
	region->own_anon_bytes = 40;
	add_process(s, 2);
	region = add_region(s, 50 + 30 + 10);
	region->object = FILE_OBJECT;
	region->family = FAMILY_OBJECT;
	region->figures.bytes[MEMOIR_FILE] = 100;
	region->own_anon_bytes = 10;
	add_set(s, MEMOIR_NONE, 0, 1, 0);
	add_set(s, 0, 2, 2, 60);
	add_set(s, MEMOIR_NONE, 0, 1, 0);
	add_set(s, 2, 2, 2, 100);
	s->sets[2].of_object = s->sets[3].of_object = true;
	return s;
}

static void copies_count_for_the_family_and_the_rest_for_the_file(void **state)
{
	struct memoir_snapshot *s = private_mappings();
	struct object_sums sums;

	(void)state;
	assert_int_equal(object_sums_make(s, &sums), 0);
	assert_int_equal(sums.count, 2);
	const struct object_sum *file = find_object(s, &sums, FILE_OBJECT);
	const struct object_sum *family = find_object(s, &sums, FAMILY_OBJECT);

	assert_int_equal(file->pss_bytes, 100);
	assert_int_equal(file->processes, 2);
	assert_int_equal(file->regions, 2);
	assert_int_equal(family->pss_bytes, 60 + 10 + 40);
	assert_int_equal(family->processes, 2);
	assert_int_equal(family->regions, 3);
	assert_int_equal(family->process->pid, 1);
	assert_ptr_equal(&sums.rows[0], family);
	object_sums_free(&sums);
	memoir_snapshot_free(s);
}

static void copies_of_no_known_family_count_for_the_file(void **state)
{
	struct memoir_snapshot *s = private_mappings();
	struct object_sums sums;

	(void)state;
	s->regions[0].family = s->regions[2].family = MEMOIR_NONE;
	assert_int_equal(object_sums_make(s, &sums), 0);
	assert_int_equal(find_object(s, &sums, FILE_OBJECT)->pss_bytes, 50 + 30 + 50 + 30 + 10);
	assert_int_equal(find_object(s, &sums, FAMILY_OBJECT)->pss_bytes, 40);
	object_sums_free(&sums);
	memoir_snapshot_free(s);
}

static void processes_out_of_scope_are_not_summed(void **state)
{
	struct memoir_snapshot *s = private_mappings();
	struct object_sums sums;

	(void)state;
	s->processes[1].in_scope = false;
	assert_int_equal(object_sums_make(s, &sums), 0);
	assert_int_equal(find_object(s, &sums, FILE_OBJECT)->pss_bytes, 50);
	assert_int_equal(find_object(s, &sums, FILE_OBJECT)->processes, 1);
	object_sums_free(&sums);
	memoir_snapshot_free(s);
}

static void an_object_without_figures_is_not_known(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct object_sums sums;

	(void)state;
	add_objects(s);
	add_process(s, 1);
	add_region(s, 7)->object = FILE_OBJECT;
	s->regions[0].figures.known = 0;
	add_region(s, 0)->object = UNMAPPED_OBJECT;
	assert_int_equal(object_sums_make(s, &sums), 0);
	assert_int_equal(sums.count, 2);
	assert_false(find_object(s, &sums, FILE_OBJECT)->pss_known);
	assert_ptr_equal(sums.rows[1].object, memoir_snapshot_object(s, FILE_OBJECT));
	object_sums_free(&sums);
	object_sums_free(&sums);
	memoir_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_frames_counters_add_up_to_memtotal),
		cmocka_unit_test(counters_that_exceed_memtotal_are_cut_and_told),
		cmocka_unit_test(without_memtotal_there_is_no_ledger),
		cmocka_unit_test(frames_add_up_to_memtotal),
		cmocka_unit_test(udmabufs_without_memfds_are_in_one_line),
		cmocka_unit_test(memory_not_given_to_zones_yet_is_free),
		cmocka_unit_test(counters_get_no_more_than_frames_leave),
		cmocka_unit_test(impossible_numbers_still_add_up),
		cmocka_unit_test(what_is_not_known_has_no_line),
		cmocka_unit_test(all_lines_fit),
		cmocka_unit_test(easy_is_what_is_clean_or_unused),
		cmocka_unit_test(nothing_is_easy_that_is_not_known),
		cmocka_unit_test(the_processes_with_the_most_are_easy),
		cmocka_unit_test(copies_count_for_the_family_and_the_rest_for_the_file),
		cmocka_unit_test(copies_of_no_known_family_count_for_the_file),
		cmocka_unit_test(processes_out_of_scope_are_not_summed),
		cmocka_unit_test(an_object_without_figures_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
