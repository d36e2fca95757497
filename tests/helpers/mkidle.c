// SPDX-License-Identifier: MIT
/*
 * Memory that is touched in a known way, again and again, until standard input ends. Says where it is and what is
 * done to it in lines of JSON, then READY; on a line of input it maps more and says that too.
 *
 * The pages of each region are, from the first on: written, read, left alone; all are in RAM at first.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_BYTES 4096ul
#define HUGE_BYTES (2ul << 20)
#define REGIONS_MAX 16

struct region {
	const char *what;
	volatile char *at;
	size_t pages, written, read;
	size_t step; /* one page in so many is really touched */
};

static struct region regions[REGIONS_MAX];
static size_t region_count;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static char *map(size_t pages, int prot, int flags, int fd)
{
	char *at = mmap(NULL, pages * PAGE_BYTES, prot, flags, fd, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	return at;
}

/* Between two pages without permissions, so that it stays a mapping of its own. */
static char *map_empty(size_t pages)
{
	char *at = map(pages + 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1) + PAGE_BYTES;

	if (mprotect(at, pages * PAGE_BYTES, PROT_READ | PROT_WRITE) < 0)
		fail("mprotect");
	madvise(at, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
	return at;
}

static char *map_anonymous(size_t pages)
{
	char *at = map_empty(pages);

	memset(at, 1, pages * PAGE_BYTES);
	return at;
}

static void add(const char *what, char *at, size_t pages, size_t written, size_t read, size_t step)
{
	if (region_count == REGIONS_MAX)
		fail("regions");
	regions[region_count++] = (struct region){ what, at, pages, written, read, step };
	printf("{\"what\": \"%s\", \"pid\": %d, \"start\": \"%lx\", \"end\": \"%lx\", \"pages\": "
	       "%zu, "
	       "\"written\": %zu, \"read\": %zu}\n",
	       what, (int)getpid(), (unsigned long)at, (unsigned long)(at + pages * PAGE_BYTES),
	       pages, written, read);
}

static void touch(const struct region *region)
{
	for (size_t i = 0; i < region->written; i += region->step)
		region->at[i * PAGE_BYTES]++;
	for (size_t i = region->written; i < region->written + region->read; i += region->step)
		(void)region->at[i * PAGE_BYTES];
}

static char *map_huge(size_t pages)
{
	size_t bytes = pages * PAGE_BYTES;
	char *at = map(pages + 1024, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1) + PAGE_BYTES;

	at += (HUGE_BYTES - (size_t)at % HUGE_BYTES) % HUGE_BYTES;
	if (mprotect(at, bytes, PROT_READ | PROT_WRITE) < 0)
		fail("mprotect");
	madvise(at, bytes, MADV_HUGEPAGE);
	memset(at, 1, bytes);
	return at;
}

static char *map_memfd(size_t pages)
{
	int fd = memfd_create("mkidle", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE_BYTES)) < 0)
		fail("memfd");
	char *at = map(pages, PROT_READ | PROT_WRITE, MAP_SHARED, fd);

	memset(at, 1, pages * PAGE_BYTES);
	close(fd);
	return at;
}

/* All pages by MAP_POPULATE, so that the kernel maps none beside a touched one later. */
static char *map_file(size_t pages)
{
	FILE *file = tmpfile();

	for (size_t i = 0; file && i < pages * PAGE_BYTES; i++)
		putc(1, file);
	if (!file || fflush(file))
		fail("tmpfile");
	return map(pages, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fileno(file));
}

/* Pages that are only read are all the one zero page, which is nobody's. */
static char *map_zero(size_t pages)
{
	char *at = map_empty(pages);

	for (size_t i = 0; i < pages; i++)
		(void)((volatile char *)at)[i * PAGE_BYTES];
	return at;
}

/* Somebody who maps and unmaps beside it all, all the time. */
static void *churn(void *unused)
{
	for (;;) {
		char *at = map(64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		*at = 1;
		munmap(at, 64 * PAGE_BYTES);
		usleep(200);
	}
	return unused;
}

/* False: it has ended. */
static bool take_input(void)
{
	struct pollfd poll_fd = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	if (poll(&poll_fd, 1, 1) <= 0)
		return true;
	if (read(STDIN_FILENO, &byte, 1) <= 0)
		return false;
	add("late", map_anonymous(300), 300, 0, 0, 1);
	fflush(stdout);
	return true;
}

/* What its parent touches, it has not touched. */
static pid_t fork_child(char *inherited)
{
	int said[2];
	char byte;

	if (pipe(said) < 0)
		fail("pipe");
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		add("child", inherited, 400, 0, 0, 1);
		fflush(stdout);
		close(said[0]);
		close(said[1]);
		pause();
		_exit(0);
	}
	close(said[1]);
	if (child < 0 || read(said[0], &byte, 1) != 0)
		fail("fork");
	close(said[0]);
	return child;
}

int main(void)
{
	pthread_t churner;
	char *inherited = map_anonymous(400);
	/* The rest is the parent's own. */
	pid_t child = fork_child(inherited);

	add("inherited", inherited, 400, 0, 400, 1);
	add("plain", map_anonymous(2000), 2000, 1000, 500, 1);
	add("alone", map_anonymous(700), 700, 0, 0, 1);
	add("memfd", map_memfd(1000), 1000, 200, 100, 1);
	add("file", map_file(1000), 1000, 0, 100, 1);
	add("zero", map_zero(500), 500, 0, 500, 1);
	add("huge", map_huge(4 * 512), 4 * 512, 512, 512, 1);
	add("huge byte", map_huge(512), 512, 512, 0, 512);
	if (pthread_create(&churner, NULL, churn, NULL))
		fail("pthread_create");
	puts("READY");
	fflush(stdout);
	while (take_input())
		for (size_t i = 0; i < region_count; i++)
			touch(&regions[i]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
