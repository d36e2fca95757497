// SPDX-License-Identifier: MIT
/*
 * What memoir run costs the program that it runs: to be run with and without it.
 *
 *     name-run calls      call_ns: a call that names memory; forgotten_ns: another prctl
 *     name-run getppid    run_ns: the cheapest system calls, and nothing else
 *     name-run walk       run_ns: walking a tree of files
 *     name-run copy       run_ns: reading and writing
 *     name-run cpu        run_ns: no system calls
 *     name-run program COMMAND [ARGUMENT]...   run_ns: what a real program and its children do
 *
 * run_ns is CPU time: what runs beside it does not count.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE_BYTES 4096u
#define RANGES 100u
#define CALLS 20000u

static unsigned int seen;

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int time_calls(void)
{
	char *at = mmap(NULL, 2 * RANGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t began;
	int failed = 0;

	for (unsigned int i = 0; i < RANGES; i++)
		failed |= prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at + 2 * i * PAGE_BYTES,
				PAGE_BYTES, "one");
	began = now_ns(CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < CALLS; i++)
		failed |= prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at + i % RANGES * 2 * PAGE_BYTES,
				PAGE_BYTES, i / RANGES % 2 ? "one" : "another");
	printf("call_ns %u\n", (unsigned int)((now_ns(CLOCK_MONOTONIC) - began) / CALLS));
	began = now_ns(CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < CALLS; i++)
		prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	printf("forgotten_ns %u\n", (unsigned int)((now_ns(CLOCK_MONOTONIC) - began) / CALLS));
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void call_getppid(void)
{
	for (unsigned int i = 0; i < 300000; i++)
		syscall(SYS_getppid);
}

/* As find does: read directories, and look at what is in them. */
static int look(const char *path, const struct stat *status, int what, struct FTW *where)
{
	(void)path;
	(void)status;
	(void)what;
	(void)where;
	return seen++ == 20000;
}

static void walk_tree(void)
{
	nftw("/usr", look, 32, FTW_PHYS);
}

/* As cp and cat do. */
static void copy_file(void)
{
	static char bytes[16 * PAGE_BYTES];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (unsigned int i = 0; i < 30000; i++)
		if (from < 0 || pread(from, bytes, sizeof(bytes), 0) <= 0 ||
		    write(to, bytes, sizeof(bytes)) < 0)
			exit(EXIT_FAILURE);
}

static void compute(void)
{
	volatile uint64_t sum = 0;

	for (uint64_t i = 0; i < 40000000; i++)
		sum += i * i;
}

static int time_program(char **argv)
{
	pid_t pid = fork();
	struct rusage used;
	int status = 0;

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status ||
	    getrusage(RUSAGE_CHILDREN, &used)) {
		fprintf(stderr, "name-run: %s did not run, or failed\n", argv[0]);
		return EXIT_FAILURE;
	}
	printf("run_ns %lld\n", (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000LL +
					(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000LL);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*work)(void);
	} works[] = {
		{ "getppid", call_getppid },
		{ "walk", walk_tree },
		{ "copy", copy_file },
		{ "cpu", compute },
	};
	uint64_t began = now_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (argc == 2 && strcmp(argv[1], "calls") == 0)
		return time_calls();
	if (argc > 2 && strcmp(argv[1], "program") == 0)
		return time_program(argv + 2);
	for (size_t i = 0; argc == 2 && i < sizeof(works) / sizeof(works[0]); i++) {
		if (strcmp(argv[1], works[i].name) != 0)
			continue;
		works[i].work();
		printf("run_ns %llu\n",
		       (unsigned long long)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - began));
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "usage: name-run calls|getppid|walk|copy|cpu|program COMMAND...\n");
	return EXIT_FAILURE;
}
