// SPDX-License-Identifier: MIT
/*
 * mktrim SCENE [FILE]: a process whose memory hints move in a known way. Says one line of JSON: its pid, a range, how
 * many bytes of it can move and why the rest can't; then READY. Answers each line on standard input with a
 * checksum of the range; ends with all its children at the end of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#define PAGE 4096ul
#define HUGE (2ul << 20)
#define BYTES (16ul << 20)
#define HALF (BYTES / 2)

static const char *file_path;

static void die(const char *what)
{
	fprintf(stderr, "mktrim: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void fill(char *mem, size_t bytes)
{
	uint64_t x = 88172645463325252ull, *words = (uint64_t *)mem;

	for (size_t i = 0; i < bytes / sizeof(*words); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = i & 1 ? x : i; /* half of it compresses */
	}
}

static char *map(int flags, int fd)
{
	char *mem = mmap(NULL, BYTES + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (mem == MAP_FAILED)
		die("mmap");
	mem = (char *)(((uintptr_t)mem + HUGE - 1) & ~(HUGE - 1));
	/* A mapping of its own, that nothing merges with. */
	mem = mmap(mem, BYTES, PROT_READ | PROT_WRITE | (flags & MAP_ANONYMOUS ? PROT_EXEC : 0),
		   flags | MAP_FIXED, fd, 0);
	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

static char *anonymous(void)
{
	char *mem = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	madvise(mem, BYTES, MADV_NOHUGEPAGE);
	fill(mem, BYTES);
	return mem;
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void fork_child(char *mem, size_t writes)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		die("pipe");
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(0);
		for (size_t i = 0; i < writes; i += PAGE)
			mem[i]++;
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		close(1);
		wait_for_ever();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("child");
	close(ready[0]);
}

static void say(const char *mem, size_t moves, const char *why, size_t stays)
{
	printf("{\"pid\": %d, \"start\": \"%lx\", \"end\": \"%lx\", \"moves\": %zu, \"why\": ",
	       (int)getpid(), (unsigned long)mem, (unsigned long)(mem + BYTES), moves);
	if (why)
		printf("\"%s\", \"stays\": %zu}\n", why, stays);
	else
		printf("null, \"stays\": 0}\n");
}

/* ---- scenes ---------------------------------------------------------------------------------- */

static char *make_plain(void)
{
	char *mem = anonymous();

	say(mem, BYTES, NULL, 0);
	return mem;
}

static char *make_half(void)
{
	char *mem = anonymous();

	fork_child(mem, HALF);
	say(mem, HALF, "shared", HALF);
	return mem;
}

static char *make_family(void)
{
	char *mem = anonymous();

	for (int i = 0; i < 3; i++)
		fork_child(mem, 0);
	say(mem, 0, "shared", BYTES);
	return mem;
}

static char *make_thp(void)
{
	char *mem = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (madvise(mem, BYTES, MADV_HUGEPAGE) < 0)
		die("MADV_HUGEPAGE");
	fill(mem, BYTES);
	say(mem, BYTES, NULL, 0);
	return mem;
}

/* Small pages where huge ones may be. */
static char *make_small(void)
{
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		die("PR_SET_THP_DISABLE");
	char *mem = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	fill(mem, BYTES);
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	say(mem, BYTES, NULL, 0);
	return mem;
}

static char *make_swapped(void)
{
	cpu_set_t all, one;
	char *mem;

	/* Pages that another CPU faulted wait in its LRU batch, where paging out does not see them. */
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	if (sched_getaffinity(0, sizeof(all), &all) < 0 ||
	    sched_setaffinity(0, sizeof(one), &one) < 0)
		die("affinity");
	mem = anonymous();
	if (madvise(mem, HALF, MADV_PAGEOUT) < 0)
		die("MADV_PAGEOUT");
	sched_setaffinity(0, sizeof(all), &all);
	say(mem, HALF, "out", HALF);
	return mem;
}

static char *make_locked(void)
{
	char *mem = anonymous();

	if (mlock(mem, HALF) < 0)
		die("mlock");
	say(mem, HALF, "locked", HALF);
	return mem;
}

/* Clean pages of a file on disk, and nobody else maps it. */
static char *make_file(void)
{
	int fd = open(file_path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	static char block[1 << 20];

	if (fd < 0)
		die(file_path);
	for (size_t i = 0; i < BYTES / sizeof(block); i++) {
		fill(block, sizeof(block));
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			die("write");
	}
	if (fsync(fd) < 0)
		die("fsync");
	char *mem = map(MAP_SHARED | MAP_POPULATE, fd);

	close(fd);
	say(mem, BYTES, NULL, 0);
	return mem;
}

static char *map_memfd(int fd)
{
	char *mem = map(MAP_SHARED, fd);

	fill(mem, BYTES);
	return mem;
}

static int make_fd(void)
{
	int fd = memfd_create("mktrim", 0);

	if (fd < 0 || ftruncate(fd, BYTES) < 0)
		die("memfd");
	return fd;
}

static char *make_memfd(void)
{
	char *mem = map_memfd(make_fd());

	say(mem, BYTES, NULL, 0);
	return mem;
}

static char *make_memfd_twice(void)
{
	int fd = make_fd();
	char *mem = map_memfd(fd), *again = map(MAP_SHARED, fd);
	volatile char sum = 0;

	for (size_t i = 0; i < BYTES; i += PAGE)
		sum += again[i];
	say(mem, 0, "shared", BYTES);
	return mem;
}

static volatile char *busy_memory;

/* Touches all of it, all the time: a signal handler, as the main program waits for lines. */
static void touch(int signal)
{
	(void)signal;
	for (size_t i = 0; i < BYTES; i += PAGE)
		busy_memory[i]++;
}

static char *make_busy(void)
{
	const struct itimerval every = { { .tv_usec = 2000 }, { .tv_usec = 2000 } };
	char *mem = anonymous();

	busy_memory = mem;
	signal(SIGALRM, touch);
	setitimer(ITIMER_REAL, &every, NULL);
	say(mem, BYTES, NULL, 0);
	return mem;
}

static const struct {
	const char *name;
	char *(*make)(void);
} scenes[] = {
	{ "plain", make_plain }, { "half", make_half },       { "family", make_family },
	{ "thp", make_thp },     { "swapped", make_swapped }, { "locked", make_locked },
	{ "file", make_file },   { "memfd", make_memfd },     { "memfd-twice", make_memfd_twice },
	{ "busy", make_busy },   { "small", make_small },
};

static uint64_t checksum(const char *mem)
{
	const uint64_t *words = (const uint64_t *)mem;
	uint64_t sum = 14695981039346656037ull;

	for (size_t i = 0; i < BYTES / sizeof(*words); i++)
		sum = (sum ^ words[i]) * 1099511628211ull;
	return sum;
}

int main(int argc, char **argv)
{
	char *mem = NULL, line[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	file_path = argc > 2 ? argv[2] : NULL;
	for (size_t i = 0; argc > 1 && i < sizeof(scenes) / sizeof(*scenes); i++)
		if (strcmp(scenes[i].name, argv[1]) == 0)
			mem = scenes[i].make();
	if (!mem) {
		fprintf(stderr, "usage: mktrim SCENE [FILE]\n");
		return 2;
	}
	printf("READY\n");
	fflush(stdout);
	/* A signal may interrupt the wait for a line. */
	for (;;) {
		clearerr(stdin);
		if (fgets(line, sizeof(line), stdin)) {
			printf("%llx\n", (unsigned long long)checksum(mem));
			fflush(stdout);
		} else if (feof(stdin)) {
			return 0;
		}
	}
}
