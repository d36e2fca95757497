// SPDX-License-Identifier: MIT
/*
 * Room for a page that the kernel finds at once when it is asked for the page's word: where it lies, what can be done
 * with it, and that nothing else is mapped by it.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/pagemap.h"

#define PAGE 4096ul
#define TABLE (2ul << 20)
#define ROOMS 40

/* ---- between memoir and mmap() --------------------------------------------------------------- */

/* Kernels like to begin what is as large as a table with one: here it begins anywhere. */
static size_t shift;
static unsigned int shifted;

void *__real_mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset);

void *__wrap_mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	char *room;

	if (addr || length != TABLE)
		return __real_mmap64(addr, length, prot, flags, fd, offset);
	shifted++;
	shift = (shift + 37 * PAGE) % (TABLE + PAGE);
	room = __real_mmap64(NULL, 2 * TABLE, prot, flags, fd, offset);
	if (room == MAP_FAILED)
		return room;
	if (shift)
		munmap(room, shift);
	if (shift < TABLE)
		munmap(room + shift + TABLE, TABLE - shift);
	return room + shift;
}

/* ---- tests ---------------------------------------------------------------------------------- */

/* Neighbours merge, so bytes are counted and not lines. */
static uint64_t mapped_bytes(void)
{
	static char lines[1 << 16];
	FILE *file = fopen("/proc/self/maps", "re");
	uint64_t bytes = 0, start, end;

	assert_non_null(file);
	setvbuf(file, NULL, _IONBF, 0);
	while (fgets(lines, sizeof(lines), file)) {
		assert_int_equal(sscanf(lines, "%" SCNx64 "-%" SCNx64, &start, &end), 2);
		bytes += end - start;
	}
	fclose(file);
	return bytes;
}

static void it_is_the_last_page_of_a_table_and_all_there_is(void **state)
{
	char *rooms[ROOMS];

	(void)state;
	(void)mapped_bytes(); /* what that takes itself stays mapped */
	for (size_t i = 0; i < ROOMS; i++) {
		uint64_t before = mapped_bytes();

		rooms[i] = pagemap_probe_room();
		assert_non_null(rooms[i]);
		assert_int_equal(((uintptr_t)rooms[i] + PAGE) % TABLE, 0);
		assert_int_equal(mapped_bytes() - before, PAGE);
	}
	assert_int_equal(shifted, ROOMS);
	for (size_t i = 0; i < ROOMS; i++) {
		uint64_t before = mapped_bytes();

		assert_int_equal(munmap(rooms[i], PAGE), 0);
		assert_int_equal(before - mapped_bytes(), PAGE);
	}
}

static void it_can_be_made_memory_or_a_file_s_page(void **state)
{
	char *room = pagemap_probe_room(), *other = pagemap_probe_room();
	int memfd = memfd_create("room", MFD_CLOEXEC);
	char byte = 0;

	(void)state;
	assert_non_null(room);
	assert_non_null(other);
	assert_int_equal(mprotect(room, PAGE, PROT_READ), 0);
	assert_int_equal(room[0], 0);
	assert_int_equal(mprotect(room, PAGE, PROT_READ | PROT_WRITE), 0);
	room[PAGE - 1] = 1;
	assert_true(memfd >= 0);
	assert_int_equal(ftruncate(memfd, (off_t)PAGE), 0);
	assert_ptr_equal(
		mmap(other, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd, 0), other);
	other[5] = 7;
	assert_int_equal(pread(memfd, &byte, 1, 5), 1);
	assert_int_equal(byte, 7);
	assert_int_equal(room[PAGE - 1], 1);
	assert_int_equal(munmap(room, PAGE), 0);
	assert_int_equal(munmap(other, PAGE), 0);
	close(memfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_last_page_of_a_table_and_all_there_is),
		cmocka_unit_test(it_can_be_made_memory_or_a_file_s_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
