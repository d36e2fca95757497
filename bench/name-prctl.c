// SPDX-License-Identifier: MIT
/*
 * What a name costs by memoir_name() in table mode and by prctl(2), in turn, on the same memory: ns a call
 * as medians, how many times as much prctl takes, and how many VMAs either leaves. Two names in turn on one
 * VMA; a hundred ranges, each call changes one's name; and the same without a change. Needs a kernel with
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
#define ROUNDS 101
#define CALLS (RANGES * RANGES)
#define TABLE_CALLS 2500
#define PRCTL_CALLS 125

typedef int (*give_fn)(void *addr, size_t len, const char *name);

static char names[RANGES][24];

static int by_prctl(void *addr, size_t len, const char *name)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, len, name) ? -errno : 0;
}

/* What is done again and again; made before, so that the clock runs for the calls. */
struct call {
	char *addr;
	size_t len;
	const char *name;
};

static struct call calls[CALLS];

/* Two names on one VMA, in turn. */
static struct call alternate(char *memory, unsigned int i)
{
	return (struct call){ memory, 2 * RANGES * PAGE, names[i % 2] };
}

/* Every other page, each time another of a hundred names. */
static struct call name_ranges(char *memory, unsigned int i)
{
	return (struct call){ memory + i % RANGES * 2 * PAGE, PAGE,
			      names[(i + i / RANGES) % RANGES] };
}

/* The same pages, the name that each has. */
static struct call name_again(char *memory, unsigned int i)
{
	return (struct call){ memory + i % RANGES * 2 * PAGE, PAGE, names[i % RANGES] };
}

/* Goes on where the last one ended. */
struct caller {
	give_fn give;
	unsigned int next;
};

static uint64_t ps_a_call(struct caller *caller, unsigned int count)
{
	const struct call *call = calls + caller->next, *end = call + count;
	uint64_t began = now_ns();

	for (; call < end; call++)
		caller->give(call->addr, call->len, call->name);
	caller->next = (caller->next + count) % CALLS;
	return (now_ns() - began) * 1000 / count;
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

/*
 * Both do the same calls in the same order, each on what its own calls before have left. A round is about as long
 * for either, and short: what else runs on the machine mostly comes between two rounds.
 */
static void measure(const char *what, struct call (*make)(char *, unsigned int), char *memory)
{
	struct caller table = { memoir_name, 0 }, kernel = { by_prctl, 0 };
	uint64_t table_ps[ROUNDS], prctl_ps[ROUNDS];
	unsigned int table_vmas;
	double by_table, by_kernel;

	for (unsigned int i = 0; i < CALLS; i++)
		calls[i] = make(memory, i);
	by_prctl(memory, 2 * RANGES * PAGE, NULL);
	memoir_name(memory, 2 * RANGES * PAGE, NULL);
	ps_a_call(&table, TABLE_CALLS);
	table_vmas = count_vmas(memory);
	ps_a_call(&kernel, PRCTL_CALLS);
	for (int i = 0; i < ROUNDS; i++) {
		table_ps[i] = ps_a_call(&table, TABLE_CALLS);
		prctl_ps[i] = ps_a_call(&kernel, PRCTL_CALLS);
	}
	by_table = (double)median_u64(table_ps, ROUNDS);
	by_kernel = (double)median_u64(prctl_ps, ROUNDS);
	printf("%s_table_ns %.0f\n%s_prctl_ns %.0f\n%s_times %.1f\n%s_table_vmas %u\n%s_prctl_vmas "
	       "%u\n",
	       what, by_table / 1000, what, by_kernel / 1000, what, by_kernel / by_table, what,
	       table_vmas, what, count_vmas(memory));
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
	measure("unchanged", name_again, memory);
	return 0;
}
