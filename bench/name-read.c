// SPDX-License-Identifier: MIT
/*
 * How long reading the name table of another process takes: ms for a table of that many names.
 *
 *     name-read RANGES [TIMES]
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memoir/name.h>

#include "kernel/memory.h"
#include "names/reader.h"
#include "timing.h"

#define PAGE_BYTES 4096ull
#define BASE (1ull << 40)
#define NAMES 100

/* In the order of a hash, which leaves leaves as full as random names do. */
static void name_all(uint32_t ranges)
{
	char name[32];

	for (uint32_t i = 0; i < ranges; i++) {
		uint64_t at = (i * 2654435761ull) % ranges;

		snprintf(name, sizeof(name), "heap of component %u", i % NAMES);
		memoir_name((void *)(uintptr_t)(BASE + at * 2 * PAGE_BYTES), PAGE_BYTES, name);
	}
}

static uint64_t find_anchor(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	uint64_t anchor = 0;

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "/memfd:memoir-names"))
			anchor = strtoull(line, NULL, 16);
	if (maps)
		fclose(maps);
	return anchor;
}

static int read_fd(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	return memory_read(*(int *)arg, addr, buffer, bytes);
}

static int measure(pid_t pid, uint64_t anchor, int times)
{
	struct names_source source = { .read = read_fd };
	struct names_table table;
	struct kroot *root = NULL;
	int err = kroot_open(NULL, &root), fd = err ? err : memory_open(root, pid);

	kroot_close(root);
	source.arg = &fd;
	for (int i = 0; i < times && fd >= 0 && !err; i++) {
		uint64_t began = now_ns();

		err = names_read(&source, anchor, &table);
		if (err)
			break;
		printf("name_read_ns %" PRIu64 " of %zu ranges\n", now_ns() - began, table.count);
		names_table_free(&table);
	}
	return fd < 0 ? fd : err;
}

int main(int argc, char **argv)
{
	uint32_t ranges = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
	int times = argc > 2 ? atoi(argv[2]) : 5, err;
	pid_t pid;

	setenv("MEMOIR_NAMES", "table", 0);
	name_all(ranges);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Pages of its own, as a process that was not forked has. */
		memoir_name((void *)(uintptr_t)BASE, PAGE_BYTES, "another");
		for (;;)
			pause();
	}
	err = pid < 0 ? -1 : measure(pid, find_anchor(), times);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return err != 0;
}
