// SPDX-License-Identifier: MIT
/*
 * Several name tables in one process: what one has is not in another, and what is dropped is gone. Which parts
 * of this process's own memory the kernel would name, by both ways of asking.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/process.h"
#include "names/areas.h"
#include "names/several.h"

#define TABLES 5
#define SLOTS 300
#define STEPS 40000
#define PAGE 4096ull
#define BASE 0x10000000ull
#define NAMES 40

static unsigned int seed = 1;

static unsigned int any(unsigned int below)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % below;
}

static const struct name_subject about = { 1, NAME_HOW_GIVEN, 2 };

/* What each page of each table has to be called: 0 is nothing. */
static uint8_t model[TABLES][SLOTS];
static struct table_aside tables[TABLES];

static const char *name_of(unsigned int number)
{
	static char name[32];

	snprintf(name, sizeof(name), "name %u of %d", number, NAMES);
	return name;
}

static void assert_equal(unsigned int t)
{
	struct taken_range ranges[7];
	uint8_t found[SLOTS] = { 0 };
	uint64_t at = 0;
	size_t count;

	while ((count = several_some(&tables[t], &at, ranges, 7)))
		for (size_t i = 0; i < count; i++)
			for (uint64_t addr = ranges[i].start; addr < ranges[i].end; addr += PAGE)
				found[(addr - BASE) / PAGE] = (uint8_t)strtoul(
					ranges[i].name + strlen("name "), NULL, 10);
	assert_memory_equal(found, model[t], sizeof(found));
}

static void step(unsigned int t)
{
	unsigned int first = any(SLOTS), pages = 1 + any(SLOTS - first < 9 ? SLOTS - first : 9);
	unsigned int name = any(NAMES);

	assert_int_equal(several_set(&tables[t], &about, BASE + first * PAGE,
				     BASE + (first + pages) * PAGE, name ? name_of(name) : NULL),
			 0);
	memset(model[t] + first, (int)name, pages);
}

static void each_table_is_its_own(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < STEPS; i++) {
		unsigned int t = any(TABLES);

		step(t);
		if (i % 997 == 0) {
			several_drop(&tables[t]);
			memset(model[t], 0, sizeof(model[t]));
			assert_equal(t);
		}
		if (i % 499 == 0) {
			unsigned int to = (t + 1) % TABLES;

			several_drop(&tables[to]);
			assert_int_equal(several_copy(&tables[to], &about, &tables[t]), 0);
			memcpy(model[to], model[t], sizeof(model[to]));
		}
		if (i % 101 == 0)
			assert_equal(any(TABLES));
	}
	for (unsigned int t = 0; t < TABLES; t++) {
		assert_equal(t);
		several_drop(&tables[t]);
		assert_int_equal(several_ranges(&tables[t]), 0);
	}
}

static size_t mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t count = 0;
	int c;

	assert_non_null(maps);
	while ((c = getc(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}

static void dropped_memory_is_given_back(void **state)
{
	size_t before;

	(void)state;
	for (int i = 0; i < 3; i++) {
		step(0);
		several_drop(&tables[0]);
	}
	before = mappings();
	for (int i = 0; i < 200; i++) {
		for (int k = 0; k < 20; k++)
			step(0);
		several_drop(&tables[0]);
	}
	/* The C library may map something meanwhile. */
	assert_true(mappings() < before + 20);
	memset(model[0], 0, sizeof(model[0]));
}

static void a_full_table_can_be_cleared(void **state)
{
	uint64_t page = 0;
	char name[80];
	int err;

	(void)state;
	tables[0].space.segments_max = 4;
	do {
		snprintf(name, sizeof(name), "%079llu", (unsigned long long)page);
		err = several_set(&tables[0], &about, BASE + 2 * page * PAGE,
				  BASE + (2 * page + 1) * PAGE, name);
		page++;
	} while (!err && page < 1000000);
	assert_int_equal(err, -ENOMEM);
	assert_true(page > 1000);
	for (uint64_t i = 0; i < page; i += 3)
		assert_int_equal(several_set(&tables[0], &about, BASE + 2 * i * PAGE,
					     BASE + (2 * i + 1) * PAGE, NULL),
				 0);
	assert_int_equal(several_set(&tables[0], &about, 0, UINT64_MAX, NULL), 0);
	assert_int_equal(several_ranges(&tables[0]), 0);
	several_drop(&tables[0]);
	tables[0].space.segments_max = 0;
}

/* ---- areas ---------------------------------------------------------------------------------- */

struct found {
	uint64_t start[8], end[8];
	size_t count;
};

static int keep(uint64_t start, uint64_t end, void *arg)
{
	struct found *found = arg;
	bool joins = found->count && found->end[found->count - 1] == start;

	assert_true(found->count < 8);
	if (joins) {
		found->end[found->count - 1] = end;
		return 0;
	}
	found->start[found->count] = start;
	found->end[found->count++] = end;
	return 0;
}

struct areas_world {
	struct kroot *root;
	struct kbuf text;
	int maps;
	uint64_t at; /* two pages, a hole, two pages, a page of a file, a page shared, a page */
};

static void expect(struct areas_world *w, int maps, uint64_t from, uint64_t to, int err,
		   const struct found *wanted)
{
	struct areas areas = { w->root, getpid(), maps, &w->text };
	struct found found = { 0 };

	assert_int_equal(areas_each(&areas, w->at + from * PAGE, w->at + to * PAGE, keep, &found),
			 err);
	assert_int_equal(found.count, wanted->count);
	for (size_t i = 0; i < found.count; i++) {
		assert_int_equal(found.start[i], w->at + wanted->start[i] * PAGE);
		assert_int_equal(found.end[i], w->at + wanted->end[i] * PAGE);
	}
}

static void *map_at(void *at, size_t pages, int prot, int flags, int fd)
{
	void *there = mmap(at, pages * PAGE, prot, flags, fd, 0);

	assert_ptr_not_equal(there, MAP_FAILED);
	return there;
}

static void make_world(struct areas_world *w)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	char *at = map_at(NULL, 10, PROT_READ, anon, -1);

	/* Guards on both sides, of other protections. */
	mprotect(at, PAGE, PROT_NONE);
	mprotect(at + 9 * PAGE, PAGE, PROT_NONE);
	at += PAGE;
	mprotect(at + PAGE, PAGE, PROT_READ | PROT_WRITE);
	munmap(at + 2 * PAGE, PAGE);
	map_at(at + 5 * PAGE, 1, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd);
	map_at(at + 6 * PAGE, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1);
	close(fd);
	w->at = (uintptr_t)at;
	assert_int_equal(kroot_open(NULL, &w->root), 0);
	w->maps = process_maps_open(w->root, getpid());
	assert_true(w->maps >= 0);
}

/* By PROCMAP_QUERY where there is one, and by the text alone. */
static void areas_are_those_the_kernel_would_name(void **state)
{
	struct areas_world w = { 0 };

	(void)state;
	make_world(&w);
	for (int way = 0; way < 2; way++) {
		int maps = way ? -1 : w.maps;

		expect(&w, maps, 0, 2, 0, &(struct found){ { 0 }, { 2 }, 1 });
		expect(&w, maps, 1, 2, 0, &(struct found){ { 1 }, { 2 }, 1 });
		expect(&w, maps, 0, 3, -ENOMEM, &(struct found){ { 0 }, { 2 }, 1 });
		expect(&w, maps, 2, 3, -ENOMEM, &(struct found){ .count = 0 });
		expect(&w, maps, 1, 4, -ENOMEM, &(struct found){ { 1, 3 }, { 2, 4 }, 2 });
		expect(&w, maps, 3, 6, -EBADF, &(struct found){ { 3 }, { 5 }, 1 });
		expect(&w, maps, 5, 6, -EBADF, &(struct found){ .count = 0 });
		expect(&w, maps, 6, 8, 0, &(struct found){ { 6 }, { 8 }, 1 });
		expect(&w, maps, 0, 8, -EBADF, &(struct found){ { 0, 3 }, { 2, 5 }, 2 });
	}
	close(w.maps);
	kbuf_free(&w.text);
	kroot_close(w.root);
}

static void private_areas_are_listed(void **state)
{
	struct areas_world w = { 0 };
	struct area_list list = { 0 };
	bool first = false, second = false, file = false;

	(void)state;
	make_world(&w);
	assert_int_equal(areas_list(&(struct areas){ w.root, getpid(), -1, &w.text }, &list), 0);
	for (size_t i = 0; i < list.count; i++) {
		const struct area *area = &list.items[i];

		assert_true(area->start < area->end);
		assert_true(i == 0 || list.items[i - 1].end < area->start);
		first |= area->start <= w.at && area->end == w.at + 2 * PAGE;
		second |= area->start == w.at + 3 * PAGE && area->end == w.at + 5 * PAGE;
		file |= area->start < w.at + 7 * PAGE && area->end > w.at + 5 * PAGE;
	}
	assert_true(first && second && !file);
	free(list.items);
	close(w.maps);
	kbuf_free(&w.text);
	kroot_close(w.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_table_is_its_own),
		cmocka_unit_test(dropped_memory_is_given_back),
		cmocka_unit_test(a_full_table_can_be_cleared),
		cmocka_unit_test(areas_are_those_the_kernel_would_name),
		cmocka_unit_test(private_areas_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
