// SPDX-License-Identifier: MIT
/*
 * What other programs pay while memoir names --watch runs: ns more for a system call that it is not about, and
 * for a prctl that names memory, each with and without in turn. It only runs memoir.
 *
 *     watch-cost [MEMOIR]
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timing.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define ROUNDS 5
#define CALLS 2000000u
#define NAMES 10000u /* fewer than the ring holds */

/* Its first line is out: it watches. */
static pid_t begin(const char *memoir)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe(ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		/* What it prints is of nobody. */
		execl(memoir, memoir, "names", "--watch", "--json", "comm:nobody", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		return -1;
	return pid;
}

static double call_ns(void)
{
	uint64_t began = now_ns();

	for (uint32_t i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return (double)(now_ns() - began) / CALLS;
}

static double name_ns(void *memory)
{
	uint64_t began = now_ns();

	for (uint32_t i = 0; i < NAMES; i++)
		prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, memory, 4096, "watched");
	return (double)(now_ns() - began) / NAMES;
}

static int compare(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : 1;
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2] > 0 ? values[ROUNDS / 2] : 0;
}

int main(int argc, char **argv)
{
	double calls[ROUNDS], names[ROUNDS];
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < ROUNDS; i++) {
		double call = call_ns(), name = name_ns(memory);
		pid_t pid = begin(argc > 1 ? argv[1] : MEMOIR);

		if (pid < 0) {
			fputs("memoir names --watch does not run here: it needs root\n", stderr);
			return 1;
		}
		calls[i] = call_ns() - call;
		names[i] = name_ns(memory) - name;
		kill(pid, SIGINT);
		waitpid(pid, NULL, 0);
	}
	printf("call_extra_ns %.0f\nname_extra_ns %.0f\n", median(calls), median(names));
	return 0;
}
