// SPDX-License-Identifier: MIT
/*
 * Names its memory by prctl as programs and runtimes do, linked statically; says where, and what the kernel said. It
 * checks nothing.
 *
 *     namer once            one call, then none: as glibc and Go do where it is refused
 *     namer raw             the same without a C library's function
 *     namer threads N       N threads, each names a mapping of its own at the same moment
 *     namer exec            a child inherits the name, then calls exec of itself, which waits
 *     namer moves           names, then unmaps, moves, grows, clears and reuses parts
 *     namer flood N         N calls, as fast as it can, each with another name
 *     namer end             one call, and exits at once
 *     namer wait
 *
 * Each prints lines "start end name answer" (hex, hex, name, errno) and "ready", and waits for the end of its input.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE 4096u
#define PAGES 16u
#define THREADS_MAX 64

static char *map_pages(size_t pages)
{
	char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	if (at == MAP_FAILED)
		abort();
	memset(at, 1, pages * PAGE);
	return at;
}

static int name_pages(const char *at, size_t pages, const char *name)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, pages * PAGE, name) < 0 ? errno : 0;
}

static void say(const char *at, size_t pages, const char *name, int answer)
{
	printf("%" PRIxPTR " %" PRIxPTR " %s %d\n", (uintptr_t)at, (uintptr_t)at + pages * PAGE,
	       name, answer);
}

static void wait_for_end(void)
{
	char byte;

	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static void once(const char *name)
{
	char *at = map_pages(PAGES);

	say(at, PAGES, name, name_pages(at, PAGES, name));
}

static void once_raw(const char *name)
{
	char *at = map_pages(PAGES);
	long ret = syscall(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, PAGES * PAGE, name);

	say(at, PAGES, name, ret < 0 ? errno : 0);
}

/* ---- threads -------------------------------------------------------------------------------- */

static pthread_barrier_t barrier;

struct named {
	char name[16];
	char *at;
	int answer;
};

static void *name_own(void *arg)
{
	struct named *named = arg;

	named->at = map_pages(PAGES);
	pthread_barrier_wait(&barrier);
	named->answer = name_pages(named->at, PAGES, named->name);
	return NULL;
}

static void threads(unsigned int count)
{
	pthread_t ids[THREADS_MAX];
	static struct named named[THREADS_MAX];

	if (count > THREADS_MAX)
		abort();
	pthread_barrier_init(&barrier, NULL, count);
	for (unsigned int i = 0; i < count; i++) {
		snprintf(named[i].name, sizeof(named[i].name), "thread%u", i);
		pthread_create(&ids[i], NULL, name_own, &named[i]);
	}
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(ids[i], NULL);
		say(named[i].at, PAGES, named[i].name, named[i].answer);
	}
}

/* ---- processes ------------------------------------------------------------------------------ */

static void call_exec(char *self)
{
	char to_wait[] = "wait";
	char *argv[] = { self, to_wait, NULL };
	char *at = map_pages(PAGES);
	int answer = name_pages(at, PAGES, "inherited");
	pid_t copy = fork(), other;

	if (copy == 0) {
		close(STDIN_FILENO);
		for (;;)
			pause();
	}
	other = fork();
	if (other == 0) {
		name_pages(at, 4, "before exec");
		/* Its input is the parent's, and so it ends when that does; it says nothing. */
		close(STDOUT_FILENO);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	say(at, PAGES, "inherited", answer);
	printf("copy %d\nother %d\n", (int)copy, (int)other);
	wait_for_end();
	kill(copy, SIGKILL);
	waitpid(copy, NULL, 0);
	waitpid(other, NULL, 0);
}

/* ---- mappings ------------------------------------------------------------------------------- */

static void moves(void)
{
	char *at = map_pages(PAGES), *moved, *room = map_pages(4 * PAGES);
	int answer = name_pages(at, PAGES, "first");

	/* The address is free for what comes next: that is not named. */
	munmap(at, 4 * PAGE);
	if (mmap(at, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != at)
		abort();
	memset(at, 1, 2 * PAGE);
	/* A part goes elsewhere, and grows there. */
	moved = mremap(at + 8 * PAGE, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       room + 8 * PAGE);
	if (moved == MAP_FAILED)
		abort();
	memset(moved, 2, 6 * PAGE);
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at + 5 * PAGE, PAGE, NULL);
	name_pages(at + 6 * PAGE, 1, "bad]");
	name_pages(at + 7 * PAGE, 1, "second");
	say(at + 4 * PAGE, 1, "first", answer);
	say(at + 6 * PAGE, 1, "first", answer);
	say(at + 7 * PAGE, 1, "second", answer);
	say(at + 12 * PAGE, 4, "first", answer);
	say(moved, 6, "first", answer);
}

static void flood(unsigned int count)
{
	char *at = map_pages(PAGES), name[32];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "flood%u", i);
		name_pages(at + i % PAGES * PAGE, 1, name);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "wait";
	unsigned int count = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : 1;

	if (strcmp(what, "once") == 0)
		once("tried once");
	else if (strcmp(what, "raw") == 0)
		once_raw("tried raw");
	else if (strcmp(what, "threads") == 0)
		threads(count);
	else if (strcmp(what, "exec") == 0)
		call_exec(argv[0]);
	else if (strcmp(what, "moves") == 0)
		moves();
	else if (strcmp(what, "flood") == 0)
		flood(count);
	else if (strcmp(what, "end") == 0)
		once("tried and gone");
	if (strcmp(what, "end") != 0 && strcmp(what, "exec") != 0)
		wait_for_end();
	return 0;
}
