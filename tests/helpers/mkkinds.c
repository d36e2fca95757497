// SPDX-License-Identifier: MIT
/*
 * mkkinds CASE [FILE...]: memory of a known kind, and memory that only looks like it. Prints lines
 *
 *     ADDRESS KIND        the region at ADDRESS is to be of this kind
 *
 * then READY, and stays until standard input ends. Exits with 77 where the machine cannot do it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define THREADS 6
#define EXIT_SKIP 77

static void fail(const char *what)
{
	fprintf(stderr, "mkkinds: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void skip(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(EXIT_SKIP);
}

static void truth(const void *at, const char *kind)
{
	printf("%lx %s\n", (unsigned long)(uintptr_t)at, kind);
}

/* Anonymous memory at a multiple of `align`, with nothing mapped beside it. */
static char *map_aligned(size_t bytes, size_t align, int prot)
{
	char *around = mmap(NULL, bytes + 2 * align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)around + align) & ~(uintptr_t)(align - 1));

	if (around == MAP_FAILED ||
	    mmap(at, bytes, prot, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != at)
		fail("mmap");
	munmap(around, (size_t)(at - around));
	munmap(at + bytes, (size_t)(around + bytes + 2 * align - (at + bytes)));
	return at;
}

/* ---- threads -------------------------------------------------------------------------------- */

struct stack {
	char *start;
	size_t bytes;
};

static void *tell_stack(void *arg)
{
	struct stack *stack = arg;
	pthread_attr_t attr;

	if (pthread_getattr_np(pthread_self(), &attr) ||
	    pthread_attr_getstack(&attr, (void **)&stack->start, &stack->bytes))
		fail("pthread_getattr_np");
	__atomic_store_n(&stack->bytes, stack->bytes, __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

static void start(void *(*run)(void *), void *arg, const pthread_attr_t *attr)
{
	pthread_t thread;

	if (pthread_create(&thread, attr, run, arg))
		fail("pthread_create");
}

/* Default ones, one of another size, and one whose guard is larger. */
static void do_stacks(void)
{
	static struct stack stacks[THREADS];
	pthread_attr_t attr;

	for (size_t i = 0; i < THREADS; i++) {
		pthread_attr_init(&attr);
		if (i == 1)
			pthread_attr_setstacksize(&attr, 300 * KIB);
		if (i == 2)
			pthread_attr_setguardsize(&attr, 64 * KIB);
		start(tell_stack, &stacks[i], &attr);
	}
	for (size_t i = 0; i < THREADS; i++) {
		while (!__atomic_load_n(&stacks[i].bytes, __ATOMIC_ACQUIRE))
			usleep(1000);
		truth(stacks[i].start + stacks[i].bytes - 1, "thread-stack");
	}
}

static char *map_like_stack(void)
{
	char *at = map_aligned(8 * MIB + PAGE, 64 * KIB, PROT_NONE);

	mprotect(at + PAGE, 8 * MIB, PROT_READ | PROT_WRITE);
	return at;
}

/* The top of a stack that begins above the guard, or ends below the region's end: it is merged. */
static void do_stack_parts(void)
{
	char *high = map_like_stack(), *low = map_like_stack();
	uintptr_t high_block[] = { (uintptr_t)high + MIB, 7 * MIB + PAGE, PAGE };
	uintptr_t low_block[] = { (uintptr_t)low, 4 * MIB, PAGE };

	memcpy(high + 8 * MIB, high_block, sizeof(high_block));
	memcpy(low + 8 * MIB, low_block, sizeof(low_block));
	truth(high + PAGE, "anon");
	truth(low + PAGE, "anon");
}

/* A guard with memory above it: empty, full, and with a copy of what is on top of a stack. */
static void do_stack_likeness(void)
{
	static struct stack real;
	char *empty = map_like_stack(), *full = map_like_stack(), *copied = map_like_stack();

	start(tell_stack, &real, NULL);
	while (!__atomic_load_n(&real.bytes, __ATOMIC_ACQUIRE))
		usleep(1000);
	memset(full + PAGE, 0xff, 8 * MIB);
	memcpy(copied + 8 * MIB, real.start + real.bytes - PAGE, PAGE);
	truth(real.start + real.bytes - 1, "thread-stack");
	truth(empty + PAGE, "anon");
	truth(full + PAGE, "anon");
	truth(copied + PAGE, "anon");
	do_stack_parts();
}

static uintptr_t arena_block; /* the last one */
static int tell_arena;

static void *fill_arena(void *arg)
{
	size_t *count = arg, want = *count;

	*count = 0;
	for (size_t i = 0; i < want; i++) {
		char *block = malloc(100 * KIB);

		memset(block, 1, 100 * KIB);
		arena_block = (uintptr_t)block;
		if (tell_arena)
			truth(block, "arena:glibc");
	}
	fflush(stdout);
	__atomic_store_n(count, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

/* One thread's arena grows beyond its first heap. */
static void do_arenas(void)
{
	static size_t counts[] = { 10, 1500, 1 };

	tell_arena = 1;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		start(fill_arena, &counts[i], NULL);
		while (__atomic_load_n(&counts[i], __ATOMIC_ACQUIRE) != 1)
			usleep(1000);
	}
}

/* What would tell is swapped out. */
static void do_arena_swapped(void)
{
	static size_t count = 10;
	uint64_t word = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	char *heap;

	start(fill_arena, &count, NULL);
	while (__atomic_load_n(&count, __ATOMIC_ACQUIRE) != 1)
		usleep(1000);
	heap = (char *)(arena_block & ~(uintptr_t)(64 * MIB - 1));
	for (int tries = 0; tries < 200 && !(word >> 62 & 1); tries++) {
		madvise(heap, MIB, MADV_PAGEOUT);
		if (pread(fd, &word, 8, (off_t)((uintptr_t)heap / PAGE * 8)) != 8)
			fail("pagemap");
	}
	if (!(word >> 62 & 1))
		skip("nothing is swapped out");
	truth(heap, "anon");
}

static void do_arena_likeness(void)
{
	char *empty = map_aligned(64 * MIB, 64 * MIB, PROT_READ | PROT_WRITE);
	char *ones = map_aligned(1 * MIB, 64 * MIB, PROT_READ | PROT_WRITE);
	char *cut = map_aligned(1 * MIB, 64 * MIB, PROT_READ | PROT_WRITE);
	char *merged = map_aligned(1 * MIB, 64 * MIB, PROT_READ | PROT_WRITE);
	uintptr_t info[] = { 0, 0, 132 * KIB, 132 * KIB };

	memset(ones, 1, 1 * MIB);
	*empty = 0;
	/* As a heap has it, but of memory that is larger than the heap, or smaller. */
	info[0] = (uintptr_t)merged + 48;
	memcpy(merged, info, sizeof(info));
	info[0] = (uintptr_t)cut + 48;
	info[2] = info[3] = 2 * MIB;
	memcpy(cut, info, sizeof(info));
	truth(empty, "anon");
	truth(ones, "anon");
	truth(cut, "anon");
	truth(merged, "anon");
}

/* ---- malloc --------------------------------------------------------------------------------- */

/* Where malloc put it; whoever preloads an allocator knows what that is to be called. */
static void do_malloc(void)
{
	for (size_t i = 0; i < 20000; i++) {
		size_t bytes = 16 + i * 37 % 3000;
		char *block = malloc(bytes);

		memset(block, 1, bytes);
		if (i % 500 == 0)
			truth(block, "malloc");
	}
	for (size_t i = 0; i < 4; i++) {
		char *block = malloc(5 * MIB);

		memset(block, 1, 5 * MIB);
		truth(block, "malloc-large");
	}
}

/* ---- code ----------------------------------------------------------------------------------- */

static void do_code(void)
{
	truth(map_aligned(64 * KIB, MIB, PROT_READ | PROT_WRITE | PROT_EXEC), "jit");
	truth(map_aligned(64 * KIB, MIB, PROT_READ | PROT_EXEC), "jit");
	truth(map_aligned(64 * KIB, MIB, PROT_EXEC), "jit");
}

/* Text that was moved out of its file's way, as programs do to have it in huge pages. */
static void do_code_in_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char *at = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	if (at == MAP_FAILED || mmap(at + PAGE, PAGE, PROT_READ | PROT_EXEC,
				     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		fail("mmap");
	truth(at + PAGE, "anon");
}

/* From here on all that is readable is executable: the heap shows it. */
static void do_all_executable(void)
{
	personality(READ_IMPLIES_EXEC);
	if (sbrk(1 * MIB) == (void *)-1)
		fail("sbrk");
	truth(map_aligned(64 * KIB, MIB, PROT_READ | PROT_WRITE), "anon");
}

/* ---- rings ---------------------------------------------------------------------------------- */

static void do_io_uring(void)
{
	struct io_uring_params params = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 8, &params);
	void *ring;

	if (fd < 0)
		skip("io_uring_setup");
	ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	if (ring == MAP_FAILED)
		fail("mmap of a ring");
	truth(ring, "io-uring");
}

static void do_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.exclude_kernel = 1,
		.disabled = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	void *buffer;

	if (fd < 0)
		skip("perf_event_open");
	buffer = mmap(NULL, 9 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (buffer == MAP_FAILED)
		skip("mmap of a perf buffer");
	truth(buffer, "perf");
}

/* ---- what looks like a runtime's ------------------------------------------------------------ */

static void map_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		fail(path);
	close(fd);
}

/* Headers of which all is right but one thing. */
static void do_headers(void)
{
	char *v8 = map_aligned(256 * KIB, 256 * KIB, PROT_READ | PROT_WRITE);
	char *python = map_aligned(1 * MIB, 1 * MIB, PROT_READ | PROT_WRITE);
	uintptr_t at = (uintptr_t)v8;
	/* Not reserved: the chunk's address and size do not come once more. */
	uint64_t chunk[] = { 256 * KIB, 4, 64, at + PAGE, at + 256 * KIB };
	/* Blocks of 64 bytes, and room for fewer than a pool has. */
	uint64_t pool[] = { 1, 0, 1, 1, UINT64_C(3) << 32, UINT64_C(16000) << 32 | 48 };

	memcpy(v8, chunk, sizeof(chunk));
	memcpy(python, pool, sizeof(pool));
	truth(v8, "anon");
	truth(python, "anon");
}

static void do_likeness(char *const *files)
{
	static const size_t layouts[][2] = {
		{ 1 * MIB, PAGE },       { 1 * MIB, 1 * MIB },   { 256 * KIB, 256 * KIB },
		{ 4 * MIB, 2 * MIB },    { 32 * MIB, 32 * MIB }, { 64 * MIB, 64 * MIB },
		{ 256 * KIB, 64 * KIB },
	};
	static const uint64_t fills[] = { 0, UINT64_MAX, 1, 0x0101010101010101, 512, 4096 };
	char *go = mmap((void *)0xc000000000, 64 * MIB, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	for (; *files; files++)
		map_file(*files);
	if (go == MAP_FAILED)
		fail("mmap of Go's address");
	*go = 1;
	do_headers();
	truth(go, "anon");
	for (size_t l = 0; l < sizeof(layouts) / sizeof(layouts[0]); l++)
		for (size_t f = 0; f < sizeof(fills) / sizeof(fills[0]); f++) {
			char *at =
				map_aligned(layouts[l][0], layouts[l][1], PROT_READ | PROT_WRITE);

			for (size_t page = 0; page < layouts[l][0] && page < MIB; page += PAGE)
				for (size_t i = 0; i < PAGE; i += 8)
					memcpy(at + page + i, &fills[f], 8);
			truth(at, "anon");
		}
}

/* ---- all ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*make)(void);
} cases[] = {
	{ "stacks", do_stacks },
	{ "stack-likeness", do_stack_likeness },
	{ "arenas", do_arenas },
	{ "arena-swapped", do_arena_swapped },
	{ "arena-likeness", do_arena_likeness },
	{ "malloc", do_malloc },
	{ "code", do_code },
	{ "code-in-file", do_code_in_file },
	{ "all-executable", do_all_executable },
	{ "io-uring", do_io_uring },
	{ "perf", do_perf },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t i = 0, count = sizeof(cases) / sizeof(cases[0]);

	while (i < count && strcmp(cases[i].name, name) != 0)
		i++;
	if (i < count)
		cases[i].make();
	else if (strcmp(name, "likeness") == 0)
		do_likeness(argv + 2);
	else
		return 2;
	puts("READY");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
