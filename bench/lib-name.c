// SPDX-License-Identifier: MIT
/*
 * What a call of memoir_name() costs, in a table of that many ranges: ns a call, for each way of calling.
 *
 *     lib-name RANGES [CALLS]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <memoir/name.h>

#include "timing.h"

#define NAMES 100
#define NAME_BYTES 24
#define PAGE_BYTES 4096ull
#define BASE (1ull << 40)

static char names[NAMES][NAME_BYTES];

/* Every other page, so that no two are joined. */
static void *range(uint32_t i)
{
	return (void *)(uintptr_t)(BASE + i * 2 * PAGE_BYTES);
}

static void name_all(uint32_t ranges)
{
	for (uint32_t i = 0; i < ranges; i++)
		memoir_name(range(i), PAGE_BYTES, names[i % NAMES]);
}

static void name_again(uint32_t ranges, uint32_t calls)
{
	for (uint32_t i = 0; i < calls; i++) {
		uint32_t random = next_random();

		memoir_name(range(random % ranges), PAGE_BYTES, names[random % NAMES]);
	}
}

static void clear_and_name(uint32_t ranges, uint32_t calls)
{
	for (uint32_t i = 0; i < calls; i += 2) {
		uint32_t random = next_random();

		memoir_name(range(random % ranges), PAGE_BYTES, NULL);
		memoir_name(range(random % ranges), PAGE_BYTES, names[random % NAMES]);
	}
}

static void split_and_join(uint32_t ranges, uint32_t calls)
{
	for (uint32_t i = 0; i < calls; i += 2) {
		uint32_t random = next_random();
		char *at = range(random % ranges);

		memoir_name(at + PAGE_BYTES / 2, PAGE_BYTES / 4, "another");
		memoir_name(at, PAGE_BYTES, names[random % NAMES]);
	}
}

static void measure(const char *what, void (*run)(uint32_t, uint32_t), uint32_t ranges,
		    uint32_t calls)
{
	uint64_t began = now_ns();

	run(ranges, calls);
	printf("%s %.0f\n", what, (double)(now_ns() - began) / calls);
}

int main(int argc, char **argv)
{
	uint32_t ranges = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100;
	uint32_t calls = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 2000000;
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	uint64_t began;

	setenv("MEMOIR_NAMES", "table", 0);
	for (int i = 0; i < NAMES; i++)
		snprintf(names[i], NAME_BYTES, "heap of component %d", i);
	began = now_ns();
	name_all(ranges);
	printf("first_ns %.0f\n", (double)(now_ns() - began) / ranges);
	measure("again_ns", name_again, ranges, calls);
	measure("clear_and_name_ns", clear_and_name, ranges, calls);
	measure("split_and_join_ns", split_and_join, ranges, calls);
	memoir_name_counts(&counts);
	printf("bytes_per_range %.0f\n",
	       (double)(counts.table_bytes - counts.name_bytes) / (double)counts.ranges);
	return 0;
}
