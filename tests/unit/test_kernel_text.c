// SPDX-License-Identifier: MIT
/*
 * What the kernel hands out, taken apart: page table entries, pagemap words, maps and smaps text.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/maps.h"
#include "kernel/pagemap.h"
#include "kernel/pte.h"

static void entries_mean_what_x86_says(void **state)
{
	(void)state;
	assert_true(pte_counted(0x8000000123456067ull));
	assert_int_equal(pte_frame(0x8000000123456067ull), 0x123456);
	/* The zero page is special. */
	assert_false(pte_counted(0x8000000001234225ull));
	assert_true(pte_present(0x8000000001234225ull));
	/* PROT_NONE: present bit clear, bit 8 set, the frame inverted. */
	uint64_t none = (~(0x123456ull << 12) & PTE_FRAME_MASK) | 0x160;

	assert_true(pte_counted(none));
	assert_int_equal(pte_frame(none), 0x123456);
	assert_false(pte_present(0));
	assert_false(pte_swapped(0));
	/* Bit 52 is memoir's own mark in copies: it must not leak into the frame. */
	assert_int_equal(pte_frame(0x0010000000007067ull), 7);
}

/* As swp_entry_to_pte: type << 59 | (~offset << 14 >> 5). */
static uint64_t swap_entry(uint64_t type, uint64_t offset)
{
	return type << 59 | (~offset << 14 >> 5);
}

static void swap_entries_mean_what_x86_says(void **state)
{
	(void)state;
	uint64_t entry = swap_entry(3, 0xabcdef);

	assert_true(pte_swapped(entry));
	assert_int_equal(pte_swap_type(entry), 3);
	assert_int_equal(pte_swap_offset(entry), 0xabcdef);
	assert_false(pte_migrating(entry));
	assert_true(pte_migrating(swap_entry(28, 0x12345)));
	assert_false(pte_swapped(swap_entry(28, 0x12345)));
	/* Markers (guards, uffd-wp) are neither. */
	assert_false(pte_swapped(swap_entry(31, 4)));
	assert_false(pte_migrating(swap_entry(31, 4)));
	/* Debian's 6.1 has the marker at 30. */
	assert_false(pte_migrating(swap_entry(30, 1)));
}

static void pagemap_markers_are_not_swap(void **state)
{
	(void)state;
	uint64_t guard = PAGEMAP_BIT_SWAP | 1ull << 58 | 4ull << 5 | 31;

	assert_false(pagemap_swapped(guard));
	assert_false(pagemap_migrating(guard));
	assert_true(pagemap_swapped(PAGEMAP_BIT_SWAP | 77ull << 5));
	assert_true(pagemap_migrating(PAGEMAP_BIT_SWAP | 77ull << 5 | 29));
	assert_false(pagemap_migrating(0x428000000000003eull)); /* seen on 6.1.0-56 */
	assert_false(pagemap_swapped(PAGEMAP_BIT_PRESENT | PAGEMAP_BIT_SWAP));
}

static struct maps_line parse_one(char *text, int expected)
{
	struct maps_line line = { 0 };
	char *at = text;

	assert_int_equal(maps_next(&at, &line), expected);
	return line;
}

static void maps_lines_come_apart(void **state)
{
	(void)state;
	char file[] =
		"7f00-8000 r-xp 0001f000 fe:01 131                        /a b\\012c (deleted)\n";
	struct maps_line line = parse_one(file, 1);

	assert_int_equal(line.start, 0x7f00);
	assert_int_equal(line.end, 0x8000);
	assert_string_equal(line.perms, "r-xp");
	assert_int_equal(line.offset_bytes, 0x1f000);
	assert_int_equal(line.dev_major, 0xfe);
	assert_int_equal(line.dev_minor, 1);
	assert_int_equal(line.inode, 131);
	assert_string_equal(line.path, "/a b\nc (deleted)");
	assert_null(line.name);

	char anon[] = "1000-2000 rw-p 00000000 00:00 0 \n";

	assert_string_equal(parse_one(anon, 1).path, "");

	char named[] =
		"1000-2000 rw-p 00000000 00:00 0                  [anon:dalvik-main space]\n";

	line = parse_one(named, 1);
	assert_string_equal(line.name, "dalvik-main space");
	assert_string_equal(line.path, "");

	char shmem[] = "1000-2000 rw-s 00000000 00:01 12                 [anon_shmem:pool]\n";

	assert_string_equal(parse_one(shmem, 1).name, "pool");
}

static void what_is_not_maps_is_refused(void **state)
{
	static const char *const broken[] = {
		"\n",
		"x\n",
		"1000-2000\n",
		"2000-1000 rw-p 0 00:00 0 \n",
		"1000-2000 rw-p 0 00:00 0 x",
		"1000-2000 rw 0 00:00 0 \n",
		"1000-2000 rw-p 0 0000 0 \n",
		"g000-2000 rw-p 0 00:00 0 \n",
		"11111111111111111-2000 rw-p 0 00:00 0 \n",
		"1000-2000 rw-p 0 00:00 1f \n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "%s", broken[i]);
		parse_one(text, -EBADMSG);
	}
}

static void smaps_figures_are_bytes(void **state)
{
	(void)state;
	char text[] = "1000-9000 rw-p 00000000 00:00 0 \n"
		      "Size:                 32 kB\nRss:                  16 kB\nPss:              "
		      "     9 kB\n"
		      "Shared_Clean:          4 kB\nShared_Dirty:          3 kB\nPrivate_Clean:    "
		      "     2 kB\n"
		      "Private_Dirty:         7 kB\nAnonymous:            12 kB\nAnonHugePages:    "
		      "     0 kB\n"
		      "ShmemPmdMapped:     2048 kB\nSwap:                  8 kB\nSwapPss:          "
		      "     5 kB\n"
		      "VmFlags: rd wr mr mw me ac\n"
		      "a000-b000 r--p 00000000 00:00 0                  [vvar]\nRss: 0 kB\n";
	char *at = text;
	struct maps_line line;
	struct smaps_figures f;

	assert_int_equal(smaps_next(&at, &line, &f), 1);
	assert_int_equal(f.rss, 16 * 1024);
	assert_int_equal(f.pss, 9 * 1024);
	assert_int_equal(f.shared, 7 * 1024);
	assert_int_equal(f.private_, 9 * 1024);
	assert_int_equal(f.anonymous, 12 * 1024);
	assert_int_equal(f.huge, 2048 * 1024);
	assert_int_equal(f.swap, 8 * 1024);
	assert_int_equal(f.swap_pss, 5 * 1024);
	assert_int_equal(smaps_next(&at, &line, &f), 1);
	assert_string_equal(line.path, "[vvar]");
	assert_int_equal(f.rss, 0);
	assert_int_equal(smaps_next(&at, &line, &f), 0);
}

#ifndef __SANITIZE_ADDRESS__ /* which itself reads strings to their ends */
/* Or reading all of a text takes the square of its length: 35 seconds for 60,000 regions. */
static void smaps_is_not_read_beyond_its_region(void **state)
{
	(void)state;
	static const char region[] = "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nRss: 4 kB\n"
				     "VmFlags: rd wr mr mw me ac \n7";
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct maps_line line;
	struct smaps_figures f;

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
	char *at = memory + page - strlen(region);

	memcpy(at, region, strlen(region));
	assert_int_equal(smaps_next(&at, &line, &f), 1);
	assert_int_equal(f.rss, 4 * 1024);
	assert_false(f.locked);
	assert_ptr_equal(at, memory + page - 1);
	assert_int_equal(munmap(memory, 2 * page), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_mean_what_x86_says),
		cmocka_unit_test(swap_entries_mean_what_x86_says),
		cmocka_unit_test(pagemap_markers_are_not_swap),
		cmocka_unit_test(maps_lines_come_apart),
		cmocka_unit_test(what_is_not_maps_is_refused),
		cmocka_unit_test(smaps_figures_are_bytes),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(smaps_is_not_read_beyond_its_region),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
