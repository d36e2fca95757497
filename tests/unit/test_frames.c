// SPDX-License-Identifier: MIT
/*
 * How frames are told apart, and what else is read of the machine as a whole: from words and texts
 * made by hand, in a root of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/balloon.h"
#include "kernel/cpus.h"
#include "kernel/frames.h"
#include "kernel/hugepages.h"
#include "kernel/kpage.h"
#include "kernel/zoneinfo.h"
#include "kernel/zram.h"
#include "snapshot/model.h"
#include "tree.h"

#define ON_LRU (KPAGE_UPTODATE | KPAGE_LRU)
#define ANON (ON_LRU | KPAGE_ANON | KPAGE_SWAPBACKED)
#define MAPPED_ANON (ANON | KPAGE_MMAP)
#define SHMEM (ON_LRU | KPAGE_SWAPBACKED)

/* The class of a single small page. */
static enum frame_class class_of(uint64_t flags)
{
	uint64_t pages[FRAME_CLASSES] = { 0 };

	assert_false(frame_block_needs_counts(&flags, 1));
	frame_block_count(&flags, NULL, 1, pages);
	for (enum frame_class class = 0; class < FRAME_CLASSES; class ++)
		if (pages[class])
			return class;
	return FRAME_CLASSES;
}

static void flags_tell_the_class(void **state)
{
	static const struct {
		uint64_t flags;
		enum frame_class class;
	} known[] = {
		{ 0, FRAME_OTHER },
		{ KPAGE_NOPAGE, FRAME_ABSENT },
		{ KPAGE_RESERVED, FRAME_RESERVED },
		{ KPAGE_BUDDY, FRAME_FREE },
		{ KPAGE_OFFLINE, FRAME_OFFLINE },
		{ KPAGE_PGTABLE, FRAME_PAGE_TABLE },
		{ KPAGE_HUGE, FRAME_HUGETLB },
		{ MAPPED_ANON, FRAME_ANON },
		{ MAPPED_ANON & ~KPAGE_SWAPBACKED, FRAME_ANON_LAZY },
		{ MAPPED_ANON | KPAGE_SWAPCACHE, FRAME_ANON },
		{ ANON, FRAME_ANON_UNMAPPED },
		{ ANON | KPAGE_SWAPCACHE, FRAME_SWAP_CACHE },
		{ SHMEM | KPAGE_SWAPCACHE, FRAME_SWAP_CACHE },
		{ SHMEM, FRAME_SHMEM_UNMAPPED },
		{ SHMEM | KPAGE_MMAP | KPAGE_UNEVICTABLE, FRAME_SHMEM_MAPPED },
		{ ON_LRU | KPAGE_MMAP | KPAGE_DIRTY, FRAME_FILE_MAPPED },
		{ ON_LRU, FRAME_CACHE_CLEAN },
		{ KPAGE_DIRTY, FRAME_CACHE_DIRTY },
		{ KPAGE_UPTODATE | KPAGE_MMAP, FRAME_FILE_MAPPED },
		{ ON_LRU | KPAGE_DIRTY, FRAME_CACHE_DIRTY },
		{ ON_LRU | KPAGE_WRITEBACK, FRAME_CACHE_DIRTY },
		{ ON_LRU | KPAGE_UNEVICTABLE, FRAME_CACHE_DIRTY },
		/* What zsmalloc has since 6.17, and a driver's buffer that a program maps. */
		{ KPAGE_UPTODATE, FRAME_OTHER },
		{ KPAGE_MMAP, FRAME_OTHER },
		{ KPAGE_ZERO | KPAGE_MMAP, FRAME_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(class_of(known[i].flags), known[i].class);
}

static void some_flags_decide_whatever_else_is_set(void **state)
{
	(void)state;
	assert_int_equal(class_of(KPAGE_SLAB | KPAGE_ANON | KPAGE_MMAP), FRAME_SLAB);
	assert_int_equal(class_of(KPAGE_BUDDY | KPAGE_UPTODATE), FRAME_FREE);
	assert_int_equal(class_of(MAPPED_ANON | KPAGE_HWPOISON), FRAME_POISONED);
	assert_int_equal(class_of(KPAGE_HUGE | KPAGE_ANON | KPAGE_MMAP), FRAME_HUGETLB);
	assert_int_equal(class_of(KPAGE_PGTABLE | KPAGE_ANON), FRAME_PAGE_TABLE);
}

static void every_class_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (enum frame_class a = 0; a < FRAME_CLASSES; a++)
		for (enum frame_class b = 0; b < a; b++)
			assert_string_not_equal(frame_class_name(a), frame_class_name(b));
}

/* A folio of so many pages, as new kernels tell of it: the flags in each page. */
static void put_folio(uint64_t *flags, size_t pages, uint64_t word)
{
	flags[0] = word | KPAGE_HEAD;
	for (size_t i = 1; i < pages; i++)
		flags[i] = word | KPAGE_TAIL;
}

static void a_huge_page_fills_its_block(void **state)
{
	uint64_t flags[FRAME_BLOCK], counts[FRAME_BLOCK], pages[FRAME_CLASSES] = { 0 };

	(void)state;
	put_folio(flags, FRAME_BLOCK, MAPPED_ANON);
	for (size_t i = 0; i < FRAME_BLOCK; i++)
		counts[i] = 1;
	assert_true(frame_block_needs_counts(flags, FRAME_BLOCK));
	frame_block_count(flags, counts, FRAME_BLOCK, pages);
	assert_int_equal(pages[FRAME_ANON_HUGE], FRAME_BLOCK);
	/* Two of half the size are none. */
	memset(pages, 0, sizeof(pages));
	put_folio(&flags[FRAME_BLOCK / 2], FRAME_BLOCK / 2, MAPPED_ANON);
	frame_block_count(flags, counts, FRAME_BLOCK, pages);
	assert_int_equal(pages[FRAME_ANON_HUGE], 0);
	assert_int_equal(pages[FRAME_ANON], FRAME_BLOCK);
}

/* A child keeps three pages of a huge page that its parent had. */
static void unmapped_parts_of_a_huge_page_are_told(void **state)
{
	uint64_t flags[FRAME_BLOCK], counts[FRAME_BLOCK] = { 0 }, pages[FRAME_CLASSES] = { 0 };

	(void)state;
	put_folio(flags, FRAME_BLOCK, MAPPED_ANON);
	counts[0] = counts[7] = counts[511] = 1;
	frame_block_count(flags, counts, FRAME_BLOCK, pages);
	assert_int_equal(pages[FRAME_ANON_HUGE], 3);
	assert_int_equal(pages[FRAME_ANON_UNMAPPED], FRAME_BLOCK - 3);
}

/* Before 6.10 the tails have hardly any flags. */
static void tails_are_what_their_head_is(void **state)
{
	uint64_t flags[16], counts[16], pages[FRAME_CLASSES] = { 0 };

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		flags[i] = KPAGE_TAIL | (i < 8 ? KPAGE_MMAP : 0);
		counts[i] = i < 8;
	}
	flags[0] = SHMEM | KPAGE_HEAD | KPAGE_MMAP;
	flags[8] = ON_LRU | KPAGE_HEAD | KPAGE_DIRTY;
	flags[12] = KPAGE_SLAB | KPAGE_HEAD;
	frame_block_count(flags, counts, 16, pages);
	assert_int_equal(pages[FRAME_SHMEM_MAPPED], 8);
	assert_int_equal(pages[FRAME_CACHE_DIRTY], 4);
	assert_int_equal(pages[FRAME_SLAB], 4);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* More than one chunk, and no whole number of blocks. */
#define FRAMES (64 * FRAME_BLOCK * 3 + 5 * FRAME_BLOCK + 100)

static uint64_t all_flags[FRAMES], all_counts[FRAMES];

/* One huge page of which half is mapped, then anonymous and free memory in turn. */
static void put_machine(const char *tree, size_t count_frames)
{
	memset(all_counts, 0, sizeof(all_counts));
	for (size_t i = 0; i < FRAMES; i++)
		all_flags[i] = i % 3 ? KPAGE_BUDDY : MAPPED_ANON;
	put_folio(&all_flags[70 * FRAME_BLOCK], FRAME_BLOCK, MAPPED_ANON);
	for (size_t i = 0; i < FRAME_BLOCK / 2; i++)
		all_counts[70 * FRAME_BLOCK + i] = 2;
	tree_put(tree, "proc/kpageflags", all_flags, sizeof(all_flags));
	tree_put(tree, "proc/kpagecount", all_counts, count_frames * sizeof(uint64_t));
}

static struct kroot *open_root(const char *tree)
{
	struct kroot *root = NULL;

	assert_int_equal(kroot_open(tree, &root), 0);
	return root;
}

static void all_frames_are_counted_once_by_any_number_of_threads(void **state)
{
	char *tree = tree_new();

	(void)state;
	put_machine(tree, FRAMES);
	struct kroot *root = open_root(tree);

	for (unsigned int threads = 1; threads <= 5; threads += 2) {
		struct frame_counts counts;
		uint64_t sum = 0;

		assert_int_equal(frames_count(root, threads, &counts), 0);
		for (size_t i = 0; i < FRAME_CLASSES; i++)
			sum += counts.pages[i];
		assert_int_equal(sum, FRAMES);
		assert_int_equal(counts.pages[FRAME_ANON_HUGE], FRAME_BLOCK / 2);
		assert_int_equal(counts.pages[FRAME_ANON_UNMAPPED], FRAME_BLOCK / 2);
		assert_int_equal(counts.pages[FRAME_ANON] + counts.pages[FRAME_FREE],
				 FRAMES - FRAME_BLOCK);
	}
	kroot_close(root);
	tree_remove(tree);
}

static void frames_that_cannot_be_read_are_an_error(void **state)
{
	char *tree = tree_new();
	struct kroot *root = open_root(tree);
	struct frame_counts counts;

	(void)state;
	assert_int_equal(frames_count(root, 2, &counts), -ENOENT);
	/* Counts end before the huge page. */
	put_machine(tree, 100);
	assert_int_equal(frames_count(root, 2, &counts), -EIO);
	kroot_close(root);
	tree_remove(tree);
}

static void zones_are_summed(void **state)
{
	char *tree = tree_new();
	struct kroot *root = open_root(tree);
	struct zoneinfo info;

	(void)state;
	assert_int_equal(zoneinfo_read(root, &info), -ENOENT);
	tree_put_text(tree, "proc/zoneinfo", "nothing of the kind\n");
	assert_int_equal(zoneinfo_read(root, &info), -EBADMSG);
	tree_put_text(tree, "proc/zoneinfo",
		      "Node 0, zone    DMA32\n"
		      "  pages free     100\n"
		      "        present  300\n"
		      "        managed  200\n"
		      "  pagesets\n"
		      "    cpu: 0\n"
		      "              count:    5\n"
		      "              high:     7\n"
		      "    cpu: 1\n"
		      "              count:    6\n"
		      "Node 0, zone   Normal\n"
		      "        managed  1000\n"
		      "    cpu: 0\n"
		      "              count:    9\n");
	assert_int_equal(zoneinfo_read(root, &info), 0);
	assert_int_equal(info.managed_bytes, 1200 * 4096);
	assert_int_equal(info.per_cpu_free_bytes, 20 * 4096);
	kroot_close(root);
	tree_remove(tree);
}

static void cpus_are_counted_if_none_is_left_out(void **state)
{
	static const struct {
		const char *text;
		unsigned int cpus;
	} known[] = {
		{ "0\n", 1 },    { "0-1\n", 2 }, { "0-127\n", 128 },       { "0", 1 },
		{ "1\n", 0 },    { "1-3\n", 0 }, { "0,2-3\n", 0 },         { "0-3,5\n", 0 },
		{ "0-\n", 0 },   { "", 0 },      { "0-99999999999\n", 0 }, { "0--1\n", 0 },
		{ "none\n", 0 },
	};
	char *tree = tree_new();
	struct kroot *root = open_root(tree);

	(void)state;
	assert_int_equal(cpus_in_row(root), 0);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		tree_put_text(tree, "sys/devices/system/cpu/online", known[i].text);
		assert_int_equal(cpus_in_row(root), known[i].cpus);
	}
	kroot_close(root);
	tree_remove(tree);
}

#define POOLS "sys/kernel/mm/hugepages/"

static void pools_of_all_sizes_are_summed(void **state)
{
	char *tree = tree_new();
	struct kroot *root = open_root(tree);
	struct hugepages pages;

	(void)state;
	assert_int_equal(hugepages_read(root, &pages), -ENOENT);
	tree_put_text(tree, POOLS "hugepages-2048kB/free_hugepages", "3\n");
	tree_put_text(tree, POOLS "hugepages-2048kB/resv_hugepages", "1\n");
	tree_put_text(tree, POOLS "hugepages-1048576kB/free_hugepages", "1\n");
	tree_put_text(tree, POOLS "hugepages-1048576kB/resv_hugepages", "0\n");
	assert_int_equal(hugepages_read(root, &pages), 0);
	assert_int_equal(pages.free_bytes, (3ull << 21) + (1ull << 30));
	assert_int_equal(pages.reserved_bytes, 1ull << 21);
	tree_put_text(tree, POOLS "hugepages-2048kB/free_hugepages", "many\n");
	assert_int_equal(hugepages_read(root, &pages), -EBADMSG);
	kroot_close(root);
	tree_remove(tree);
}

static void put_zram(const char *tree)
{
	/* zram1 and zram2 are swap, zram3 is not (zram30 is away), sda is no zram. */
	tree_put_text(tree, "proc/swaps",
		      "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		      "/dev/zram1                              partition\t9\t9\t100\n"
		      "/dev/zram2\t\t\t\tpartition\t9\t9\t100\n"
		      "/dev/zram30\t\t\t\tpartition\t9\t9\t100\n"
		      "/dev/mapper/xzram3\t\t\tpartition\t9\t9\t100\n");
	tree_put_text(tree, "sys/block/zram1/mm_stat", "1000 300 400 5000 0 1 2 3 4\n");
	tree_put_text(tree, "sys/block/zram2/mm_stat", "100 30 40 500 0 1 2\n");
	tree_put_text(tree, "sys/block/zram3/mm_stat", "7 7 7 7 7 7 7 7 7\n");
	tree_put_text(tree, "sys/block/sda/stat", "1\n");
}

static void zram_is_summed_by_what_it_is_used_for(void **state)
{
	char *tree = tree_new();
	struct kroot *root = open_root(tree);
	struct zram zram;

	(void)state;
	assert_int_equal(zram_read(root, &zram), -ENOENT);
	put_zram(tree);
	assert_int_equal(zram_read(root, &zram), 0);
	assert_int_equal(zram.store_bytes, 400 + 40 + 7);
	assert_int_equal(zram.orig_bytes, 1000 + 100);
	assert_int_equal(zram.used_bytes, 400 + 40);
	assert_true(zram.limited);
	assert_int_equal(zram.limit_bytes, 5500);
	/* One without a limit may grow as it likes. */
	tree_put_text(tree, "sys/block/zram2/mm_stat", "100 30 40 0 0 1 2\n");
	assert_int_equal(zram_read(root, &zram), 0);
	assert_false(zram.limited);
	tree_put_text(tree, "sys/block/zram2/mm_stat", "100\n");
	assert_int_equal(zram_read(root, &zram), -EBADMSG);
	kroot_close(root);
	tree_remove(tree);
}

#define VIRTIO "sys/bus/virtio/devices/"

static void a_balloon_that_deflates_by_itself_is_in_memtotal(void **state)
{
	char *tree = tree_new();
	struct kroot *root = open_root(tree);

	(void)state;
	assert_false(balloon_in_total(root));
	/* Of another device the same bit means other things. */
	tree_put_text(tree, VIRTIO "virtio0/device", "0x0002\n");
	tree_put_text(tree, VIRTIO "virtio0/features", "0010000000000000\n");
	tree_put_text(tree, VIRTIO "virtio1/device", "0x0005\n");
	tree_put_text(tree, VIRTIO "virtio1/features", "1101000000000000\n");
	assert_false(balloon_in_total(root));
	tree_put_text(tree, VIRTIO "virtio1/features", "0010000000000000\n");
	assert_true(balloon_in_total(root));
	kroot_close(root);
	tree_remove(tree);
}

/* ---- into the snapshot ---------------------------------------------------------------------- */

static struct memoir_snapshot *capture(const char *tree, bool frames)
{
	struct memoir_options options = { .sz = sizeof(options), .root = tree, .threads = 2 };
	struct memoir_capture_options what = { .sz = sizeof(what), .frames = frames };
	struct memoir_snapshot *snapshot = NULL;
	struct memoir *memoir = NULL;

	assert_int_equal(memoir_open(&options, &memoir, NULL), 0);
	assert_int_equal(memoir_capture(memoir, &what, &snapshot, NULL), 0);
	memoir_close(memoir);
	return snapshot;
}

static uint64_t line_of(const struct memoir_snapshot *snapshot, const char *key)
{
	uint64_t bytes = UINT64_MAX;

	(void)memoir_snapshot_meminfo(snapshot, key, &bytes);
	return bytes;
}

static void put_root(const char *tree)
{
	tree_put_text(tree, "proc/meminfo", "MemTotal: 4096 kB\n");
	tree_put_text(tree, "proc/self/mountinfo", "");
	put_zram(tree);
}

static void frames_are_in_the_snapshot_if_asked_for(void **state)
{
	char *tree = tree_new();

	(void)state;
	put_root(tree);
	put_machine(tree, FRAMES);
	tree_put_text(tree, "proc/zoneinfo", "  managed 7\n  count: 2\n");
	tree_put_text(tree, "proc/self/smaps_rollup",
		      "55a0c0000000-7ffe00000000 ---p 00000000 00:00 0    [rollup]\n"
		      "Rss:                 900 kB\n"
		      "Private_Clean:        30 kB\n"
		      "Private_Dirty:       220 kB\n"
		      "Anonymous:           200 kB\n"
		      "LazyFree:              7 kB\n");
	struct memoir_snapshot *snapshot = capture(tree, true);

	assert_int_equal(line_of(snapshot, "own_anon_bytes"), 200 << 10);
	assert_int_equal(line_of(snapshot, "own_other_bytes"), 50 << 10);
	assert_int_equal(line_of(snapshot, "frames:anon_huge"), 4096 * FRAME_BLOCK / 2);
	assert_int_equal(line_of(snapshot, "frames:slab"), 0);
	assert_int_equal(line_of(snapshot, "zone_managed_bytes"), 7 * 4096);
	assert_int_equal(line_of(snapshot, "zone_per_cpu_free_bytes"), 2 * 4096);
	assert_int_equal(line_of(snapshot, "zram_orig_bytes"), 1100);
	assert_true(line_of(snapshot, "hugetlb_free_bytes") == UINT64_MAX);
	assert_false(memoir_snapshot_partial(snapshot));
	memoir_snapshot_free(snapshot);

	snapshot = capture(tree, false);
	assert_true(line_of(snapshot, "own_anon_bytes") == UINT64_MAX);
	assert_true(line_of(snapshot, "frames:anon_huge") == UINT64_MAX);
	assert_int_equal(line_of(snapshot, "zram_used_bytes"), 440);
	assert_int_equal(line_of(snapshot, "zram_limit_bytes"), 5500);
	memoir_snapshot_free(snapshot);
	tree_remove(tree);
}

static void frames_that_cannot_be_read_are_noted(void **state)
{
	char *tree = tree_new();

	(void)state;
	put_root(tree);
	struct memoir_snapshot *snapshot = capture(tree, true);

	assert_true(memoir_snapshot_partial(snapshot));
	assert_int_equal(memoir_snapshot_note_count(snapshot), 1);
	assert_non_null(strstr(memoir_snapshot_note(snapshot, 0), "/proc/kpageflags"));
	assert_true(line_of(snapshot, "frames:free") == UINT64_MAX);
	memoir_snapshot_free(snapshot);
	tree_remove(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_tell_the_class),
		cmocka_unit_test(some_flags_decide_whatever_else_is_set),
		cmocka_unit_test(every_class_has_a_name_of_its_own),
		cmocka_unit_test(a_huge_page_fills_its_block),
		cmocka_unit_test(unmapped_parts_of_a_huge_page_are_told),
		cmocka_unit_test(tails_are_what_their_head_is),
		cmocka_unit_test(all_frames_are_counted_once_by_any_number_of_threads),
		cmocka_unit_test(frames_that_cannot_be_read_are_an_error),
		cmocka_unit_test(zones_are_summed),
		cmocka_unit_test(cpus_are_counted_if_none_is_left_out),
		cmocka_unit_test(pools_of_all_sizes_are_summed),
		cmocka_unit_test(zram_is_summed_by_what_it_is_used_for),
		cmocka_unit_test(a_balloon_that_deflates_by_itself_is_in_memtotal),
		cmocka_unit_test(frames_are_in_the_snapshot_if_asked_for),
		cmocka_unit_test(frames_that_cannot_be_read_are_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
