/*
 * Scenarios of transparent huge pages: whole, in parts, shared, and what only looks huge. Skipped
 * where the kernel gives no huge pages for advised memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "mkmem.h"

static uint8_t *huge_written(uint64_t huge_pages)
{
	uint8_t *start = huge_new(huge_pages);

	write_pages(start, 0, huge_pages * HUGE_PAGES);
	need_huge(start, huge_pages);
	return start;
}

static void make_thp(void)
{
	uint8_t *start = huge_written(2);
	struct truth truth = truth_of("two", start, 2 * HUGE_PAGES);

	truth.regions = 1;
	truth.thp_bytes = 2 * HUGE_BYTES;
	add_anon(&truth, 2 * HUGE_PAGES, 1);
	say(&truth);
}

static void make_thp_parts(void)
{
	uint8_t *start = huge_written(3);
	struct truth truth;

	munmap(start, 128 * PAGE_BYTES);
	munmap(page_at(start, HUGE_PAGES + 100), 8 * PAGE_BYTES);
	truth = truth_of("two in parts, one whole", page_at(start, 128), 3 * HUGE_PAGES - 128);
	truth.regions = 2;
	truth.thp_bytes = HUGE_BYTES;
	add_anon(&truth, 3 * HUGE_PAGES - 128 - 8, 1);
	say(&truth);
}

static void make_thp_fork(void)
{
	uint8_t *start = huge_written(1);
	struct truth truth = truth_of("parent", start, HUGE_PAGES);

	if (fork_child()) {
		munmap(page_at(start, 256), 256 * PAGE_BYTES);
		write_pages(start, 0, 32);
		truth = truth_of("child, half unmapped, 32 written", start, 256);
		add_anon(&truth, 32, 1);
		add_anon(&truth, 256 - 32, 2);
		say(&truth);
		stay();
	}
	truth.thp_bytes = HUGE_BYTES;
	add_anon(&truth, 32 + 256, 1);
	add_anon(&truth, 256 - 32, 2);
	say(&truth);
}

static void make_thp_fork_whole(void)
{
	uint8_t *start = huge_written(2);
	struct truth truth = truth_of("parent", start, 2 * HUGE_PAGES);

	truth.thp_bytes = 2 * HUGE_BYTES;
	if (fork_child()) {
		/* The first is split in this process only; the second stays whole in both. */
		write_pages(start, 7, 8);
		truth.role = "child, one page written";
		truth.thp_bytes = HUGE_BYTES;
	}
	add_anon(&truth, 1, 1);
	add_anon(&truth, 2 * HUGE_PAGES - 1, 2);
	say(&truth);
}

static void make_huge_zero(void)
{
	uint8_t *start;
	struct truth truth;

	if (read_setting("/sys/kernel/mm/transparent_hugepage/use_zero_page") != 1)
		skip("the huge zero page is off");
	start = huge_new(2);
	read_pages(start, 0, 1);
	if (present_pages(start, HUGE_PAGES) != HUGE_PAGES)
		skip("the kernel did not map the huge zero page");
	write_pages(start, HUGE_PAGES, 2 * HUGE_PAGES);
	need_huge(page_at(start, HUGE_PAGES), 1);
	truth = truth_of("one of zeros, one written", start, 2 * HUGE_PAGES);
	truth.thp_bytes = HUGE_BYTES;
	add_anon(&truth, HUGE_PAGES, 1);
	say(&truth);
}

/* On a tmpfs of its own, in a mount namespace of its own: gone with the process. */
static int open_huge_tmpfs(void)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/huge", scratch_dir());
	if (mkdir(path, 0700))
		broken("mkdir");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("mkmem", path, "tmpfs", 0, "huge=always"))
		skip("a tmpfs of huge pages cannot be mounted (%s)", strerror(errno));
	snprintf(path, sizeof(path), "%s/huge/file", scratch_dir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 2 * HUGE_BYTES))
		broken("a file on tmpfs");
	return fd;
}

static void make_thp_shmem(void)
{
	int fd = open_huge_tmpfs();
	uint8_t *start = huge_new(2);
	struct truth truth = truth_of("parent", start, 2 * HUGE_PAGES);
	bool is_child;

	start = mmap(start, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (start == MAP_FAILED)
		broken("mmap");
	write_pages(start, 0, 2 * HUGE_PAGES);
	need_huge(start, 2);
	is_child = fork_child();
	if (is_child) {
		/* Of the second only a part, so it is mapped by small entries here. */
		munmap(page_at(start, HUGE_PAGES + 64), HUGE_BYTES - 64 * PAGE_BYTES);
		write_pages(start, 0, HUGE_PAGES + 64);
		truth = truth_of("child", start, HUGE_PAGES + 64);
	}
	truth.thp_bytes = is_child ? HUGE_BYTES : 2 * HUGE_BYTES;
	add_shmem(&truth, HUGE_PAGES + 64, 2);
	if (!is_child)
		add_shmem(&truth, HUGE_PAGES - 64, 1);
	say(&truth);
}

const struct scenario thp_scenarios[] = {
	{ "thp", "two huge pages", 1, make_thp, NULL, NULL },
	{ "thp-parts", "huge pages partly unmapped", 1, make_thp_parts, NULL, NULL },
	{ "thp-fork", "shared by fork, the child unmapped half", 2, make_thp_fork, NULL, NULL },
	{ "thp-fork-whole", "shared by fork, the child wrote one page", 2, make_thp_fork_whole,
	  NULL, NULL },
	{ "huge-zero", "the huge zero page", 1, make_huge_zero, NULL, NULL },
	{ "thp-shmem", "huge pages of tmpfs in two processes", 2, make_thp_shmem, NULL, NULL },
	{ 0 },
};
