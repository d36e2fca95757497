// SPDX-License-Identifier: MIT
/*
 * What a name costs by memoir_name() in table mode and by prctl(2), in turn, on the same memory: ns a call
 * as medians, how many times as much prctl takes, and how many VMAs either leaves. Needs a kernel with
 * CONFIG_ANON_VMA_NAME.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <memoir/name.h>

#include "timing.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE 4096ul
#define RANGES 100
#define ROUNDS 11
#define CALLS 4000

typedef int (*give_fn)(void *addr, size_t len, const char *name);

static char names[RANGES][24];

static int by_prctl(void *addr, size_t len, const char *name)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, len, name) ? -errno : 0;
}

/* Two names on one VMA, in turn. */
static uint64_t alternate(give_fn give, char *memory)
{
	uint64_t began = now_ns();

	for (unsigned int i = 0; i < CALLS; i++)
		give(memory, 2 * RANGES * PAGE, names[i % 2]);
	return (now_ns() - began) / CALLS;
}

/* Every other page, each time another of a hundred names. */
static uint64_t name_ranges(give_fn give, char *memory)
{
	uint64_t began = now_ns();

	for (unsigned int i = 0; i < CALLS; i++)
		give(memory + i % RANGES * 2 * PAGE, PAGE, names[(i + i / RANGES) % RANGES]);
	return (now_ns() - began) / CALLS;
}

static unsigned int count_vmas(const char *memory)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	unsigned int count = 0;
	char line[1024];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			count += start < (unsigned long)memory + 2 * RANGES * PAGE &&
				 end > (unsigned long)memory;
	if (maps)
		fclose(maps);
	return count;
}

static void measure(const char *what, uint64_t (*run)(give_fn, char *), char *memory)
{
	uint64_t table_ns[ROUNDS], prctl_ns[ROUNDS];
	unsigned int table_vmas, prctl_vmas;

	for (int i = 0; i < ROUNDS; i++) {
		by_prctl(memory, 2 * RANGES * PAGE, NULL);
		table_ns[i] = run(memoir_name, memory);
		table_vmas = count_vmas(memory);
		memoir_name(memory, 2 * RANGES * PAGE, NULL);
		prctl_ns[i] = run(by_prctl, memory);
		prctl_vmas = count_vmas(memory);
	}
	uint64_t table = median_u64(table_ns, ROUNDS), by_kernel = median_u64(prctl_ns, ROUNDS);

	printf("%s_table_ns %lu\n%s_prctl_ns %lu\n%s_times %.1f\n%s_table_vmas %u\n%s_prctl_vmas "
	       "%u\n",
	       what, (unsigned long)table, what, (unsigned long)by_kernel, what,
	       (double)by_kernel / (double)table, what, table_vmas, what, prctl_vmas);
}

int main(void)
{
	char *around =
		mmap(NULL, (2 * RANGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *memory = around + PAGE;
	int err;

	setenv("MEMOIR_NAMES", "table", 1);
	if (around == MAP_FAILED || mprotect(memory, 2 * RANGES * PAGE, PROT_READ | PROT_WRITE))
		return 1;
	memset(memory, 1, 2 * RANGES * PAGE);
	for (int i = 0; i < RANGES; i++)
		snprintf(names[i], sizeof(names[i]), "heap of component %d", i);
	err = by_prctl(memory, PAGE, "a name");
	if (err) {
		fprintf(stderr, "name-prctl: this kernel keeps no names: %s\n", strerror(-err));
		return 1;
	}
	measure("alternating", alternate, memory);
	measure("ranges", name_ranges, memory);
	return 0;
}
