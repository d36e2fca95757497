/*
 * Scenarios about the address space itself: moves, splits and merges of VMAs, and processes that
 * are more, or less, than one leader with threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "mkmem.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define PAGES 256
#define MANY 60000
#define PEER_STACK_BYTES 65536

static void say_anon(const char *role, uint8_t *start, uint64_t pages, uint64_t resident,
		     uint64_t regions)
{
	struct truth truth = truth_of(role, start, pages);

	truth.regions = regions;
	add_anon(&truth, resident, 1);
	say(&truth);
}

static uint8_t *move(uint8_t *from, uint64_t pages, int more_flags)
{
	uint8_t *to = place(pages);

	to = mremap(from, pages * PAGE_BYTES, pages * PAGE_BYTES,
		    MREMAP_MAYMOVE | MREMAP_FIXED | more_flags, to);
	if (to == MAP_FAILED) {
		if (more_flags)
			skip("mremap with flags %d is refused (%s)", more_flags, strerror(errno));
		broken("mremap");
	}
	return to;
}

static void make_mremap(void)
{
	uint8_t *start = range_written(PAGES), *part = range_written(64), *to;

	say_anon("moved", move(start, PAGES, 0), PAGES, PAGES, 1);
	/* The middle only: what stays falls into two. */
	to = move(page_at(part, 16), 16, 0);
	say_anon("moved out of the middle", to, 16, 16, 1);
	say_anon("what stayed", part, 64, 48, 2);
}

static void make_dontunmap(void)
{
	uint8_t *start = range_written(PAGES);

	say_anon("moved", move(start, PAGES, MREMAP_DONTUNMAP), PAGES, PAGES, 1);
	write_pages(start, 0, 8);
	say_anon("left behind, 8 written again", start, PAGES, 8, 1);
}

static void make_split_merge(void)
{
	uint8_t *start = range_written(PAGES);

	mprotect(page_at(start, 64), PAGE_BYTES, PROT_READ);
	say_anon("split in three", start, PAGES, PAGES, 3);
	start = range_written(PAGES);
	mprotect(page_at(start, 64), PAGE_BYTES, PROT_READ);
	mprotect(page_at(start, 64), PAGE_BYTES, PROT_READ | PROT_WRITE);
	say_anon("split and merged", start, PAGES, PAGES, 1);
}

static void make_part_unmapped(void)
{
	uint8_t *start = range_written(PAGES);

	munmap(page_at(start, 100), 56 * PAGE_BYTES);
	say_anon("a hole in the middle", start, PAGES, 200, 2);
}

/* An emulated CPU takes a minute for all of them: there fewer are asked for. */
static unsigned long how_many(void)
{
	const char *asked = getenv("MKMEM_VMAS");

	return asked ? strtoul(asked, NULL, 10) : MANY;
}

static void make_many_vmas(void)
{
	unsigned long many = how_many();
	uint8_t *start;

	if ((unsigned long)read_setting("/proc/sys/vm/max_map_count") < many + 1000)
		skip("vm.max_map_count is below %lu", many + 1000);
	start = range_written(many);
	for (unsigned long i = 1; i < many; i += 2)
		if (mprotect(page_at(start, i), PAGE_BYTES, PROT_READ))
			broken("mprotect");
	say_anon("one page each", start, many, many, many);
}

static void *outlive_leader(void *unused)
{
	char path[64], state = 0;
	FILE *file;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	while (state != 'Z') {
		usleep(1000);
		file = fopen(path, "re");
		if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			broken("the leader's state");
		fclose(file);
	}
	stay();
}

static void make_leader_exited(void)
{
	pthread_t thread;

	say_anon("all", range_written(PAGES), PAGES, PAGES, 1);
	if (pthread_create(&thread, NULL, outlive_leader, NULL))
		broken("pthread_create");
	pthread_exit(NULL);
}

static int be_peer(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stay();
}

static void say_peers(uint8_t *start, pid_t peer)
{
	struct truth truth = truth_of("all", start, PAGES);

	truth.regions = 1;
	add_anon(&truth, PAGES, 1);
	if (peer)
		snprintf(truth.extra, sizeof(truth.extra), ",\"peer\":%d", peer);
	say(&truth);
}

static pid_t start_peer(int more_flags)
{
	uint8_t *stack = range_written(PEER_STACK_BYTES / PAGE_BYTES);
	pid_t peer =
		clone(be_peer, stack + PEER_STACK_BYTES, CLONE_VM | SIGCHLD | more_flags, NULL);

	if (peer < 0)
		broken("clone");
	return peer;
}

static void make_clone_vm(void)
{
	uint8_t *start = range_written(PAGES);

	say_peers(start, start_peer(0));
}

static void make_vfork(void)
{
	say_peers(range_written(PAGES), 0);
	up();
	/* This process does not run again until the child is gone. */
	start_peer(CLONE_VFORK);
}

static void say_comm(const char *comm)
{
	struct truth truth = truth_of("comm", range_written(1), 1);

	prctl(PR_SET_NAME, comm);
	add_anon(&truth, 1, 1);
	add_hex(&truth, "comm_hex", comm, strlen(comm));
	say(&truth);
}

static void make_odd_comm(void)
{
	if (fork_child()) {
		say_comm("new\nline \\ \"q\"");
		stay();
	}
	if (fork_child()) {
		say_comm("b\xff) R 1 \xc3\xbc\t<&");
		stay();
	}
	say_comm("\x1b[31m,a:*?");
}

const struct scenario space_scenarios[] = {
	{ "mremap", "moved whole, and the middle of a range moved", 1, make_mremap, NULL, NULL },
	{ "dontunmap", "MREMAP_DONTUNMAP", 1, make_dontunmap, NULL, NULL },
	{ "split-merge", "split by mprotect, and merged again", 1, make_split_merge, NULL, NULL },
	{ "part-unmapped", "a hole unmapped", 1, make_part_unmapped, NULL, NULL },
	{ "many-vmas", "60,000 VMAs of one page, or MKMEM_VMAS", 1, make_many_vmas, NULL, NULL },
	{ "leader-exited", "a process whose leader has exited", 1, make_leader_exited, NULL, NULL },
	{ "clone-vm", "two processes in one address space", 2, make_clone_vm, NULL, NULL },
	{ "vfork", "a vfork child, its parent suspended", 2, make_vfork, NULL, NULL },
	{ "odd-comm", "names with newlines, quotes and bytes that are no UTF-8", 3, make_odd_comm,
	  NULL, NULL },
	{ 0 },
};
