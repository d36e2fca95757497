// SPDX-License-Identifier: MIT
/*
 * Programs that name their memory by prctl in ways that Python can't. Prints what it did in JSON, then ends
 * when its input does.
 *
 *     mknamed vfork                 the child of a vfork names a page
 *     mknamed threads THREADS N     each thread names N pages of its own, twice
 *     mknamed flood N               N pages with names as long and as different as can be
 *     mknamed unmapped MILLISECONDS names whose own memory comes and goes
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE_BYTES 4096ul
#define NAME_ROOM 80
#define THREADS_MAX 64

static char *map_pages(unsigned long pages)
{
	char *at = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED) {
		perror("mknamed: mmap");
		exit(EXIT_FAILURE);
	}
	return at;
}

static int set_name(const char *at, unsigned long bytes, const char *name)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, bytes, name) < 0 ? -errno : 0;
}

static void say_vfork(void)
{
	char *at = map_pages(1);
	static volatile int result;
	pid_t child;

	*at = 1;
	/* NOLINTBEGIN(clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork) */
	child = vfork();
	if (child == 0) {
		result = set_name(at, PAGE_BYTES, "vfork: child");
		_exit(0);
	}
	/* NOLINTEND(clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork) */
	waitpid(child, NULL, 0);
	printf("{\"at\": %lu, \"result\": %d}\n", (unsigned long)at, result);
}

/* ---- threads -------------------------------------------------------------------------------- */

struct job {
	pthread_t thread;
	unsigned int number;
	unsigned long pages;
	char *at;
	int result;
};

static void *name_pages(void *arg)
{
	struct job *job = arg;
	char name[NAME_ROOM];

	for (int round = 0; round < 2; round++)
		for (unsigned long i = 0; i < job->pages; i++) {
			snprintf(name, sizeof(name), "thread %u page %lu%s", job->number, i,
				 round ? "" : " at first");
			job->result |= set_name(job->at + i * PAGE_BYTES, PAGE_BYTES, name);
		}
	return NULL;
}

static void say_threads(unsigned long threads, unsigned long pages)
{
	struct job jobs[THREADS_MAX] = { 0 };
	char *at = map_pages(threads * pages);
	int result = 0;

	memset(at, 1, threads * pages * PAGE_BYTES);
	printf("{\"at\": %lu}\n", (unsigned long)at);
	fflush(stdout);
	for (unsigned int i = 0; i < threads && i < THREADS_MAX; i++) {
		jobs[i] = (struct job){ .number = i,
					.pages = pages,
					.at = at + i * pages * PAGE_BYTES };
		pthread_create(&jobs[i].thread, NULL, name_pages, &jobs[i]);
	}
	for (unsigned int i = 0; i < threads && i < THREADS_MAX; i++) {
		pthread_join(jobs[i].thread, NULL);
		result |= jobs[i].result;
	}
	printf("{\"result\": %d}\n", result);
}

/* ---- a flood -------------------------------------------------------------------------------- */

static void say_flood(unsigned long pages)
{
	char *at = map_pages(pages), name[NAME_ROOM];
	unsigned long taken = 0;
	int refused = 0, cleared, again;

	for (; taken < pages && !refused; taken += !refused) {
		snprintf(name, sizeof(name), "%079lu", taken);
		refused = set_name(at + taken * PAGE_BYTES, PAGE_BYTES, name);
	}
	printf("{\"taken\": %lu, \"refused\": %d}\n", taken, refused);
	fflush(stdout);
	getchar();
	cleared = set_name(at, pages * PAGE_BYTES, NULL);
	again = set_name(at, PAGE_BYTES, "after the flood");
	printf("{\"at\": %lu, \"cleared\": %d, \"again\": %d}\n", (unsigned long)at, cleared,
	       again);
}

/* ---- names that come and go ----------------------------------------------------------------- */

static char *name_page;
static volatile int over;

static void *come_and_go(void *arg)
{
	(void)arg;
	while (!over) {
		if (mmap(name_page, PAGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			exit(EXIT_FAILURE);
		memcpy(name_page, "comes and goes", sizeof("comes and goes"));
		munmap(name_page, PAGE_BYTES);
	}
	return NULL;
}

static void say_unmapped(long milliseconds)
{
	char *at = map_pages(1);
	unsigned long named = 0, no_name = 0, other = 0;
	struct timespec now, end;
	pthread_t thread;

	name_page = map_pages(1);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += milliseconds % 1000 * 1000000;
	end.tv_sec += milliseconds / 1000 + end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	pthread_create(&thread, NULL, come_and_go, NULL);
	do {
		int result = set_name(at, PAGE_BYTES, name_page);

		named += result == 0;
		no_name += result == -EFAULT;
		other += result != 0 && result != -EFAULT;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	over = 1;
	pthread_join(thread, NULL);
	printf("{\"named\": %lu, \"no_name\": %lu, \"other\": %lu}\n", named, no_name, other);
}

int main(int argc, char **argv)
{
	unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (argc == 2 && strcmp(argv[1], "vfork") == 0) {
		say_vfork();
	} else if (argc == 4 && strcmp(argv[1], "threads") == 0) {
		say_threads(first, strtoul(argv[3], NULL, 10));
	} else if (argc == 3 && strcmp(argv[1], "flood") == 0) {
		say_flood(first);
	} else if (argc == 3 && strcmp(argv[1], "unmapped") == 0) {
		say_unmapped((long)first);
	} else {
		fprintf(stderr, "usage: mknamed vfork | threads THREADS N | flood N | "
				"unmapped MILLISECONDS\n");
		return EXIT_FAILURE;
	}
	fflush(stdout);
	while (getchar() != EOF)
		;
	return EXIT_SUCCESS;
}
