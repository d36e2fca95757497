/*
 * Scenarios of anonymous memory in one process: what is resident and what only looks like it. No
 * page here may be mapped by two processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "mkmem.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#define PAGES 256
#define STACK_BYTES (UINT64_C(4) << 20)
#define STACK_PAGES 64

static void say_anon(const char *role, uint8_t *start, uint64_t pages, uint64_t resident)
{
	struct truth truth = truth_of(role, start, pages);

	truth.regions = 1;
	add_anon(&truth, resident, 1);
	say(&truth);
}

static void make_plain(void)
{
	say_anon("all", range_written(PAGES), PAGES, PAGES);
}

static void make_partly(void)
{
	uint8_t *start = range_new(20);

	write_pages(start, 0, 1);
	write_pages(start, 5, 6);
	write_pages(start, 11, 12);
	say_anon("0, 5 and 11 of 20", start, 20, 3);
	say_anon("none", range_new(20), 20, 0);
}

/* As address sanitizers and garbage collectors reserve it. */
static void make_vast(void)
{
	const uint64_t pages = (64ull << 30) / PAGE_BYTES;
	uint8_t *start = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		skip("64 GiB can't be reserved (%s)", strerror(errno));
	madvise(start, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < 64; i++)
		write_pages(start, i * (pages / 64), i * (pages / 64) + 1);
	say_anon("64 pages in 64 GiB", start, pages, 64);
}

static void make_zero_page(void)
{
	uint8_t *start = range_new(PAGES);

	read_pages(start, 0, PAGES);
	say_anon("read", start, PAGES, 0);
	start = range_new(PAGES);
	read_pages(start, 0, 64);
	write_pages(start, 8, 16);
	say_anon("read, 8 written", start, PAGES, 8);
}

static void make_guard(void)
{
	uint8_t *start = range_written(64);

	if (madvise(page_at(start, 16), 16 * PAGE_BYTES, MADV_GUARD_INSTALL))
		skip("this kernel has no guard regions (%s)", strerror(errno));
	say_anon("16 of 64 guarded", start, 64, 48);
	start = range_new(64);
	write_pages(start, 0, 8);
	if (madvise(page_at(start, 4), 32 * PAGE_BYTES, MADV_GUARD_INSTALL))
		broken("MADV_GUARD_INSTALL");
	say_anon("guards over touched and untouched", start, 64, 4);
}

static int open_uffd(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		skip("userfaultfd is refused (%s)", strerror(errno));
	if (ioctl(fd, UFFDIO_API, &api))
		skip("userfaultfd cannot write-protect what this needs (%s)", strerror(errno));
	return fd;
}

static void write_protect(int fd, const uint8_t *start, uint64_t all_pages, uint64_t pages)
{
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)start, .len = all_pages * PAGE_BYTES },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = { .start = (uintptr_t)start, .len = pages * PAGE_BYTES },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (ioctl(fd, UFFDIO_REGISTER, &range) || ioctl(fd, UFFDIO_WRITEPROTECT, &protect))
		broken("userfaultfd");
}

static void make_uffd_wp(void)
{
	int fd = open_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_UNPOPULATED);
	uint8_t *start = range_new(PAGES);

	write_pages(start, 0, 64);
	write_protect(fd, start, PAGES, 128);
	say_anon("64 touched, 128 protected", start, PAGES, 64);
	start = range_new(64);
	write_protect(fd, start, 64, 64);
	say_anon("never touched, protected", start, 64, 0);
}

static void make_uffd_wp_shmem(void)
{
	int fd = open_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
	uint8_t *start =
		map_fd(memfd_of("mkmem uffd", 64), 0, 64, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct truth truth = truth_of("markers where pages were", start, 64);

	write_pages(start, 0, 32);
	write_protect(fd, start, 64, 64);
	/* The pages stay in the object; markers stay in the page table. */
	if (madvise(page_at(start, 8), 16 * PAGE_BYTES, MADV_DONTNEED))
		broken("MADV_DONTNEED");
	add_shmem(&truth, 16, 1);
	say(&truth);
}

static void make_prot_none(void)
{
	uint8_t *start = range_new(66);
	struct truth truth = truth_of("no access, 40 touched", start, 66);

	/* A page that can be written stays on both sides: the isolation has no access either. */
	write_pages(start, 1, 41);
	if (mprotect(page_at(start, 1), 64 * PAGE_BYTES, PROT_NONE))
		broken("mprotect");
	truth.regions = 3;
	add_anon(&truth, 40, 1);
	say(&truth);
}

static void make_madv_free(void)
{
	uint8_t *start = range_written(64);

	if (madvise(start, 32 * PAGE_BYTES, MADV_FREE))
		broken("MADV_FREE");
	say_anon("32 of 64 freed lazily", start, 64, 64);
	start = range_written(64);
	if (madvise(start, 32 * PAGE_BYTES, MADV_DONTNEED))
		broken("MADV_DONTNEED");
	say_anon("32 of 64 given back", start, 64, 32);
}

static void make_mlocked(void)
{
	uint8_t *start = range_new(64);

	if (mlock(start, 64 * PAGE_BYTES))
		skip("mlock is refused (%s)", strerror(errno));
	say_anon("locked", start, 64, 64);
}

/* Touches every page below, down to `depth` bytes, one small frame after another. */
__attribute__((noinline)) static int dig(uint64_t depth)
{
	volatile uint8_t frame[2048];

	frame[0] = (uint8_t)depth;
	return depth < sizeof(frame) ? frame[0] : dig(depth - sizeof(frame)) + frame[0];
}

static void make_deep_stack(void)
{
	struct rlimit limit;
	struct truth truth;
	char line[512];
	unsigned long start = 0, end = 0;
	FILE *maps;
	uint8_t byte;

	if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur < 2 * STACK_BYTES)
		skip("the stack may not grow to %lu bytes", (unsigned long)(2 * STACK_BYTES));
	/* Where its address falls so, a stack that grows by leaps gets a huge page. */
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		broken("huge pages can't be turned off");
	dig(STACK_BYTES);
	maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			break;
	if (!start || end - start < STACK_BYTES)
		broken("the stack did not grow");
	fclose(maps);
	/* Own copies of all of it: what is shared with mkmem and what was never touched. */
	for (volatile uint8_t *at = (volatile uint8_t *)start; (uintptr_t)at < end;
	     at += PAGE_BYTES) {
		byte = *at;
		*at = byte;
	}
	truth = truth_of("stack", (const uint8_t *)start, (end - start) / PAGE_BYTES);
	truth.regions = 1;
	add_anon(&truth, truth.bytes / PAGE_BYTES, 1);
	say(&truth);
}

static void *be_thread(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void make_thread_stacks(void)
{
	pthread_t thread;
	pthread_attr_t attributes;
	uint8_t *start;

	for (int i = 0; i < 3; i++) {
		/* Touched before it becomes a stack: all of it, whatever the thread does. */
		start = range_written(STACK_PAGES);
		pthread_attr_init(&attributes);
		if (pthread_attr_setstack(&attributes, start, STACK_PAGES * PAGE_BYTES) ||
		    pthread_create(&thread, &attributes, be_thread, NULL))
			broken("pthread_create");
		say_anon("own stack", start, STACK_PAGES, STACK_PAGES);
	}
	/* With a guard, of the C library's making: for the comparison with smaps only. */
	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread, NULL, be_thread, NULL))
			broken("pthread_create");
	usleep(50000);
}

const struct scenario anon_scenarios[] = {
	{ "plain", "256 pages written", 1, make_plain, NULL, NULL },
	{ "partly", "pages 0, 5 and 11 of 20 written", 1, make_partly, NULL, NULL },
	{ "zero-page", "pages only read", 1, make_zero_page, NULL, NULL },
	{ "vast", "64 pages written in 64 GiB reserved", 1, make_vast, NULL, NULL },
	{ "guard", "MADV_GUARD_INSTALL over touched memory", 1, make_guard, NULL, NULL },
	{ "uffd-wp", "userfaultfd write protection, touched and not", 1, make_uffd_wp, NULL, NULL },
	{ "uffd-wp-shmem", "write protection markers in a shmem mapping", 1, make_uffd_wp_shmem,
	  NULL, NULL },
	{ "prot-none", "touched, then PROT_NONE", 1, make_prot_none, NULL, NULL },
	{ "madv-free", "MADV_FREE and MADV_DONTNEED of a half", 1, make_madv_free, NULL, NULL },
	{ "mlocked", "mlock", 1, make_mlocked, NULL, NULL },
	{ "deep-stack", "a main stack of 4 MiB", 1, make_deep_stack, NULL, NULL },
	{ "thread-stacks", "five threads", 1, make_thread_stacks, NULL, NULL },
	{ 0 },
};
