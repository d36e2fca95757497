/*
 * Scenarios of fork families: whose page is whose after copies, exits, execs, moves and unmaps, and
 * KSM. Every mapcount here follows from what each process wrote, and when.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "mkmem.h"

#define PAGES 256
#define KSM "/sys/kernel/mm/ksm/"
#define KSM_PAGES 48
#define KSM_TRIES 3000
#define FAMILY_CHILDREN 40
#define FAMILY_PAGES 2560
#define WINDOW (FAMILY_PAGES / FAMILY_CHILDREN)

/* own pages mapped once, shared ones by `mapcount`. */
static void say_split(const char *role, uint8_t *start, uint64_t own, uint64_t shared,
		      uint64_t mapcount)
{
	struct truth truth = truth_of(role, start, own + shared);

	add_anon(&truth, own, 1);
	if (shared)
		add_anon(&truth, shared, mapcount);
	say(&truth);
}

static void make_fork(void)
{
	uint8_t *start = range_written(PAGES);

	if (fork_child()) {
		say_split("child", start, 0, PAGES, 2);
		stay();
	}
	say_split("parent", start, 0, PAGES, 2);
}

static void make_fork_written(void)
{
	uint8_t *start = range_written(PAGES);

	if (fork_child()) {
		write_pages(start, 0, PAGES / 2);
		say_split("child, half written", start, PAGES / 2, PAGES / 2, 2);
		stay();
	}
	say_split("parent", start, PAGES / 2, PAGES / 2, 2);
}

static void make_fork_exited(void)
{
	uint8_t *start = range_written(PAGES);
	pid_t child = fork_child_pid();

	if (!child)
		_exit(0);
	wait_for_exit(child);
	say_split("parent", start, PAGES, 0, 0);
}

static void make_fork_execed(void)
{
	uint8_t *start = range_written(PAGES);
	int fds[2];
	char byte;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		broken("pipe");
	child = fork_child_pid();
	if (!child) {
		execl("/proc/self/exe", "mkmem", "--wait", (char *)NULL);
		broken("exec");
	}
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 0)
		broken("read");
	up_pid(child);
	say_split("parent", start, PAGES, 0, 0);
}

static void make_daemon(void)
{
	uint8_t *start = range_written(PAGES);

	for (int i = 0; i < 2; i++)
		if (!fork_orphan())
			_exit(0);
	write_pages(start, 0, 8);
	say_split("grandchild", start, PAGES, 0, 0);
}

static void make_generations(void)
{
	uint8_t *start = range_written(64);
	struct truth truth = truth_of("grandparent", start, 64);

	if (fork_child()) {
		write_pages(start, 0, 8);
		if (fork_child()) {
			write_pages(start, 4, 12);
			reach();
			await(2);
			truth.role = "grandchild";
			add_anon(&truth, 4 + 4, 2);
			add_anon(&truth, 8, 1);
			add_anon(&truth, 48, 3);
			say(&truth);
			stay();
		}
		await(2);
		truth.role = "child";
		/* 0-3 and 60-63 with the grandchild, 8-11 with the grandparent, 4-7 its own. */
		add_anon(&truth, 4 + 4 + 4, 2);
		add_anon(&truth, 4, 1);
		add_anon(&truth, 48, 3);
		say(&truth);
		stay();
	}
	await(1);
	write_pages(start, 60, 64);
	reach();
	add_anon(&truth, 8 + 4, 1);
	add_anon(&truth, 4, 2);
	add_anon(&truth, 48, 3);
	say(&truth);
}

static void make_fork_mremap(void)
{
	uint8_t *start = range_written(PAGES), *to;

	if (fork_child()) {
		to = place(PAGES);
		if (mremap(start, PAGES * PAGE_BYTES, PAGES * PAGE_BYTES,
			   MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
			broken("mremap");
		write_pages(to, 0, 16);
		say_split("child, elsewhere", to, 16, PAGES - 16, 2);
		stay();
	}
	say_split("parent", start, 16, PAGES - 16, 2);
}

static void make_fork_unmap(void)
{
	uint8_t *start = range_written(64);

	if (fork_child()) {
		munmap(start, 32 * PAGE_BYTES);
		say_split("child, second half", page_at(start, 32), 0, 32, 2);
		stay();
	}
	say_split("parent", start, 32, 32, 2);
}

static void make_fork_disjoint(void)
{
	uint8_t *start = range_written(64);

	if (fork_child()) {
		munmap(start, 32 * PAGE_BYTES);
		say_split("child, second half", page_at(start, 32), 32, 0, 0);
		stay();
	}
	munmap(page_at(start, 32), 32 * PAGE_BYTES);
	say_split("parent, first half", start, 32, 0, 0);
}

/* New memory right behind memory that is shared. */
static void grow(uint8_t *start, uint64_t pages)
{
	/* With the flags of what is before it: those of place() and range_new(). */
	if (mmap(page_at(start, pages), PAGE_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		broken("mmap");
	madvise(page_at(start, pages), PAGE_BYTES, MADV_NOHUGEPAGE);
	write_pages(start, pages, pages + 1);
}

static void make_fork_grown(void)
{
	uint8_t *start = place(PAGES + 2);
	struct truth truth = truth_of("parent", start, PAGES + 1);

	if (mprotect(start, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE))
		broken("mprotect");
	madvise(start, PAGES * PAGE_BYTES, MADV_NOHUGEPAGE);
	write_pages(start, 0, PAGES);
	if (fork_child()) {
		grow(start, PAGES);
		say_split("child", start, 1, PAGES, 2);
		stay();
	}
	grow(start, PAGES);
	/* One VMA of both here; not so in the child, whose anon_vma has a parent. */
	truth.regions = 1;
	add_anon(&truth, 1, 1);
	add_anon(&truth, PAGES, 2);
	say(&truth);
}

static void make_family(void)
{
	uint8_t *start = range_written(FAMILY_PAGES);
	int children = 0;

	while (children < FAMILY_CHILDREN && !fork_child())
		children++;
	if (children == FAMILY_CHILDREN) {
		/* Each page but for one child's copy of it: by all others and the parent. */
		say_split("parent", start, 0, FAMILY_PAGES, FAMILY_CHILDREN);
		return;
	}
	write_pages(start, (uint64_t)children * WINDOW, (uint64_t)(children + 1) * WINDOW);
	say_split("child", start, WINDOW, FAMILY_PAGES - WINDOW, FAMILY_CHILDREN);
}

static long ksm_run, ksm_pages, ksm_sleep_ms;

static void restore_ksm(void)
{
	char value[32];

	snprintf(value, sizeof(value), "%ld", ksm_pages);
	write_setting(KSM "pages_to_scan", value);
	snprintf(value, sizeof(value), "%ld", ksm_sleep_ms);
	write_setting(KSM "sleep_millisecs", value);
	snprintf(value, sizeof(value), "%ld", ksm_run);
	write_setting(KSM "run", value);
}

static void prepare_ksm(void)
{
	/* Held until mkmem exits: two at once would restore each other's settings. */
	flock(open("/tmp/mkmem-ksm.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600), LOCK_EX);
	ksm_run = read_setting(KSM "run");
	ksm_pages = read_setting(KSM "pages_to_scan");
	ksm_sleep_ms = read_setting(KSM "sleep_millisecs");
	write_setting(KSM "pages_to_scan", "2000");
	write_setting(KSM "sleep_millisecs", "5");
	write_setting(KSM "run", "1");
}

/* Page i of every such range of this run is the same, and no other page is. */
static uint8_t *range_mergeable(uint64_t salt)
{
	uint8_t *start = range_new(KSM_PAGES);

	for (uint64_t i = 0; i < KSM_PAGES; i++)
		for (uint64_t at = 0; at < PAGE_BYTES; at += sizeof(uint64_t))
			*(uint64_t *)(page_at(start, i) + at) = salt << 16 ^ i << 48 ^ at ^ 0x5a5a;
	if (madvise(start, KSM_PAGES * PAGE_BYTES, MADV_MERGEABLE))
		broken("MADV_MERGEABLE");
	return start;
}

static void say_merged(const char *role, uint8_t *start)
{
	say_split(role, start, 0, KSM_PAGES, 3);
}

static bool is_merged(uint8_t *start, uint64_t mapcount)
{
	for (uint64_t i = 0; i < KSM_PAGES; i++)
		if (mapcount_of(frame_of(page_at(start, i))) != mapcount)
			return false;
	return true;
}

static void make_ksm(void)
{
	uint64_t salt = (uint64_t)getpid();
	uint8_t *start, *other;

	if (read_setting(KSM "run") != 1)
		skip("KSM cannot be turned on");
	if (fork_child()) {
		say_merged("child", range_mergeable(salt));
		reach();
		stay();
	}
	start = range_mergeable(salt);
	other = range_mergeable(salt);
	if (!frame_of(start))
		skip("frame numbers are hidden from this user");
	await(1);
	for (int i = 0; !is_merged(start, 3) || !is_merged(other, 3); i++) {
		if (i == KSM_TRIES)
			skip("KSM did not merge the pages in time");
		usleep(10000);
	}
	restore_ksm();
	say_merged("parent, first", start);
	say_merged("parent, second", other);
}

const struct scenario fork_scenarios[] = {
	{ "fork", "a child that shares all", 2, make_fork, NULL, NULL },
	{ "fork-written", "a child that wrote half", 2, make_fork_written, NULL, NULL },
	{ "fork-exited", "the child has exited", 1, make_fork_exited, NULL, NULL },
	{ "fork-execed", "the child runs another program", 2, make_fork_execed, NULL, NULL },
	{ "daemon", "forked twice, the parents gone", 1, make_daemon, NULL, NULL },
	{ "generations", "three generations, each wrote a few", 3, make_generations, NULL, NULL },
	{ "fork-mremap", "the child moved the shared range", 2, make_fork_mremap, NULL, NULL },
	{ "fork-unmap", "the child unmapped half", 2, make_fork_unmap, NULL, NULL },
	{ "fork-disjoint", "each unmapped another half", 2, make_fork_disjoint, NULL, NULL },
	{ "fork-grown", "new memory merged onto a shared VMA", 2, make_fork_grown, NULL, NULL },
	{ "family", "40 children, each wrote a 40th", FAMILY_CHILDREN + 1, make_family, NULL,
	  NULL },
	{ "ksm", "KSM: twice in one process, once in another", 2, make_ksm, prepare_ksm,
	  restore_ksm },
	{ 0 },
};
