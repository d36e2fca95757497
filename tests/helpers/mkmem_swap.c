/*
 * Scenarios of swapped memory, alone and shared. They need some swap to be on and never turn it on;
 * what the kernel does not swap out when asked is a skip.
 */
#include <sys/mman.h>
#include <unistd.h>
#include "mkmem.h"

#define PAGES 256

static void make_swap(void)
{
	uint8_t *start;
	struct truth truth;

	need_swap();
	pin_cpu();
	start = range_written(PAGES);
	page_out(start, PAGES);
	truth = truth_of("all", start, PAGES);
	add_swap(&truth, PAGES, 1);
	say(&truth);
	start = range_written(64);
	page_out(page_at(start, 16), 32);
	read_pages(start, 16, 24);
	write_pages(start, 24, 28);
	truth = truth_of("32 of 64, 12 back", start, 64);
	add_anon(&truth, 32 + 12, 1);
	add_swap(&truth, 20, 1);
	say(&truth);
}

static void make_swap_exclusive_fork(void)
{
	uint8_t *start;
	struct truth truth;

	need_swap();
	pin_cpu();
	start = range_written(64);
	page_out(start, 32);
	truth = truth_of("parent", start, 64);
	if (fork_child())
		truth.role = "child";
	add_swap(&truth, 32, 2);
	add_anon(&truth, 32, 2);
	say(&truth);
}

/*
 * pages     parent   writer   reader
 * 0-7       swap/1   own      own
 * 8-63      swap/2   swap/2   own
 * 64-199    swap/3   swap/3   swap/3
 * 200-203   own      swap/2   swap/2
 * 204-255   swap/3   swap/3   swap/3
 */
static void make_swap_shared(void)
{
	uint8_t *start;
	struct truth truth;

	need_swap();
	pin_cpu();
	start = range_written(PAGES);
	page_out(start, PAGES);
	if (fork_child()) {
		await(1);
		write_pages(start, 0, 8);
		reach();
		truth = truth_of("writer", start, PAGES);
		add_anon(&truth, 8, 1);
		add_swap(&truth, 56 + 4, 2);
	} else if (fork_child()) {
		read_pages(start, 0, 64);
		reach();
		truth = truth_of("reader", start, PAGES);
		add_anon(&truth, 64, 1);
		add_swap(&truth, 4, 2);
	} else {
		await(2);
		write_pages(start, 200, 204);
		truth = truth_of("parent", start, PAGES);
		add_anon(&truth, 4, 1);
		add_swap(&truth, 8, 1);
		add_swap(&truth, 56, 2);
	}
	add_swap(&truth, 136 + 52, 3);
	say(&truth);
}

/* Half of it each has copied, so that the same place is another page in each, in swap as well. */
static void make_swap_copies(void)
{
	uint8_t *start;
	struct truth truth;

	need_swap();
	pin_cpu();
	start = range_written(64);
	truth = truth_of("parent", start, 64);
	if (fork_child()) {
		truth.role = "child";
		write_pages(start, 0, 32);
		reach();
	}
	await(1);
	page_out(start, 32);
	add_swap(&truth, 32, 1);
	add_anon(&truth, 32, 2);
	say(&truth);
}

static void make_swap_thp(void)
{
	uint8_t *start;
	struct truth truth;

	need_swap();
	pin_cpu();
	start = huge_new(2);
	write_pages(start, 0, 2 * HUGE_PAGES);
	need_huge(start, 2);
	page_out(start, 2 * HUGE_PAGES);
	truth = truth_of("parent", start, 2 * HUGE_PAGES);
	if (fork_child())
		truth.role = "child";
	add_swap(&truth, 2 * HUGE_PAGES, 2);
	say(&truth);
}

static void say_shmem_swap(const char *role, uint8_t *start, uint64_t pages, uint64_t swapped)
{
	struct truth truth = truth_of(role, start, pages);

	add_shmem_swap(&truth, swapped);
	say(&truth);
}

/* All of the object is swapped but for pages 0 to 15, which only the first mapping has back. */
static void make_swap_shmem(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	uint8_t *whole, *copies;
	struct truth truth;
	int fd;

	need_swap();
	pin_cpu();
	fd = memfd_of("mkmem swapped", PAGES);
	whole = map_fd(fd, 0, PAGES, rw, MAP_SHARED);
	copies = map_fd(fd, 0, PAGES, rw, MAP_PRIVATE);
	write_pages(whole, 0, PAGES);
	write_pages(copies, 32, 40);
	page_out(page_at(copies, 32), 4);
	page_out_shmem(whole, PAGES);
	write_pages(whole, 0, 16);
	truth = truth_of("whole", whole, PAGES);
	add_shmem(&truth, 16, 1);
	add_shmem_swap(&truth, PAGES - 16);
	say(&truth);
	truth = truth_of("private, 8 copies, 4 of them swapped", copies, PAGES);
	add_anon(&truth, 4, 1);
	add_swap(&truth, 4, 1);
	/* What a copy hides is not looked at. */
	add_shmem_swap(&truth, PAGES - 16 - 8);
	say(&truth);
	say_shmem_swap("a part", map_fd(fd, 8, 64, rw, MAP_SHARED), 64, 56);
	say_shmem_swap("read-only", map_fd(fd, 0, PAGES, PROT_READ, MAP_SHARED), PAGES, PAGES - 16);
	say_shmem_swap("private, read-only", map_fd(fd, 0, PAGES, PROT_READ, MAP_PRIVATE), PAGES,
		       PAGES - 16);
	say_shmem_swap("private, untouched", map_fd(fd, 0, 64, rw, MAP_PRIVATE), 64, 48);
}

const struct scenario swap_scenarios[] = {
	{ "swap", "swapped in one process", 1, make_swap, NULL, NULL },
	{ "swap-fork", "half swapped, then forked", 2, make_swap_exclusive_fork, NULL, NULL },
	{ "swap-shared", "swapped in three, some read back, some written", 3, make_swap_shared,
	  NULL, NULL },
	{ "swap-copies", "copied by a child, then swapped in both", 2, make_swap_copies, NULL,
	  NULL },
	{ "swap-thp", "huge pages swapped, then forked", 2, make_swap_thp, NULL, NULL },
	{ "swap-shmem", "a swapped memfd, mapped in six ways", 1, make_swap_shmem, NULL, NULL },
	{ 0 },
};
