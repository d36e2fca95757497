// SPDX-License-Identifier: MIT
/*
 * mkactors: processes that do with their memory what standard input says, line by line, so that a test
 * knows whose every page is. What was done is answered before the next line is read; all end when the
 * input does.
 *
 *     SLOT VERB [NUMBER...] [PATH]        ok PID | error WHAT
 *
 * NUMBERs: the area meant (0 to 15), then pages. Slot 0 is there from the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "actors.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define PAGE_BYTES UINT64_C(4096)
#define HUGE_BYTES (UINT64_C(2) << 20)
#define AREAS 16
#define PAGE_OUT_TRIES 200
#define SWAP_TYPES 20

/* What an actor has; a child inherits it. */
static struct area {
	uint8_t *start;
	uint64_t pages;
	int fd;
} areas[AREAS];

/* ---- verbs ---------------------------------------------------------------------------------- */

static int map(struct area *area, uint64_t pages, int prot, int flags, int fd)
{
	void *start = mmap(NULL, pages * PAGE_BYTES, prot, flags, fd, 0);

	if (start == MAP_FAILED)
		return errno;
	/* One page a fault; refused where there are no huge pages at all. */
	madvise(start, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
	area->start = start;
	area->pages = pages;
	return 0;
}

static int do_anon(struct area *area, const uint64_t *numbers)
{
	return map(area, numbers[1], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int do_shared(struct area *area, const uint64_t *numbers)
{
	return map(area, numbers[1], PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static int do_huge(struct area *area, const uint64_t *numbers)
{
	int err = map(area, numbers[1] + HUGE_BYTES / PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (err)
		return err;
	area->start += (HUGE_BYTES - (uintptr_t)area->start % HUGE_BYTES) % HUGE_BYTES;
	area->pages = numbers[1];
	return madvise(area->start, area->pages * PAGE_BYTES, MADV_HUGEPAGE) ? errno : 0;
}

static int do_memfd(struct area *area, const uint64_t *numbers)
{
	area->fd = memfd_create("mkactors", MFD_CLOEXEC);
	if (area->fd < 0 || ftruncate(area->fd, (off_t)(numbers[1] * PAGE_BYTES)))
		return errno;
	return 0;
}

static int do_map_shared(struct area *area, const uint64_t *numbers)
{
	return map(area, numbers[1], PROT_READ | PROT_WRITE, MAP_SHARED, area->fd);
}

static int do_map_private(struct area *area, const uint64_t *numbers)
{
	return map(area, numbers[1], PROT_READ | PROT_WRITE, MAP_PRIVATE, area->fd);
}

static int do_close(struct area *area, const uint64_t *numbers)
{
	(void)numbers;
	return close(area->fd) ? errno : 0;
}

/* All pages differ, and differ from those of any other actor, so that nothing merges them. */
static int do_write(struct area *area, const uint64_t *numbers)
{
	for (uint64_t i = numbers[1]; i < numbers[2]; i++)
		*(volatile uint64_t *)(area->start + i * PAGE_BYTES) =
			i << 32 ^ (uint64_t)getpid() << 8 ^ 1;
	return 0;
}

/* Page i of this number is the same in all actors, and no other page is. */
static int do_alike(struct area *area, const uint64_t *numbers)
{
	for (uint64_t i = 0; i < area->pages; i++)
		for (uint64_t at = 0; at < PAGE_BYTES; at += sizeof(uint64_t))
			*(uint64_t *)(area->start + i * PAGE_BYTES + at) =
				numbers[1] << 40 ^ i << 12 ^ at ^ 0x5a5a;
	return madvise(area->start, area->pages * PAGE_BYTES, MADV_MERGEABLE) ? errno : 0;
}

static int do_read(struct area *area, const uint64_t *numbers)
{
	for (uint64_t i = numbers[1]; i < numbers[2]; i++)
		(void)*(volatile uint8_t *)(area->start + i * PAGE_BYTES);
	return 0;
}

static int do_unmap(struct area *area, const uint64_t *numbers)
{
	return munmap(area->start + numbers[1] * PAGE_BYTES, (numbers[2] - numbers[1]) * PAGE_BYTES)
		       ? errno
		       : 0;
}

static uint64_t swapped_pages(const struct area *area)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t first = (uintptr_t)area->start / PAGE_BYTES, count = 0, word = 0;

	for (uint64_t i = 0; i < area->pages; i++)
		if (pread(fd, &word, sizeof(word), (off_t)((first + i) * sizeof(word))) ==
			    sizeof(word) &&
		    !(word >> 63) && word >> 62 && (word & 31) < SWAP_TYPES)
			count++;
	close(fd);
	return count;
}

/* Pages that another CPU faulted wait in its batch, and are not seen the first time. */
/* Some pages may wait in a CPU's batch of new ones, which is emptied only by who runs there: each CPU in turn. */
static void page_out_on(int cpu, struct area *area)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) == 0)
		madvise(area->start, area->pages * PAGE_BYTES, MADV_PAGEOUT);
}

static int do_page_out(struct area *area, const uint64_t *numbers)
{
	cpu_set_t all;
	bool out = false;

	(void)numbers;
	if (madvise(area->start, area->pages * PAGE_BYTES, MADV_PAGEOUT) ||
	    sched_getaffinity(0, sizeof(all), &all))
		return errno;
	for (int i = 0; i < PAGE_OUT_TRIES && !out; i++) {
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &all))
				page_out_on(cpu, area);
		out = swapped_pages(area) == area->pages;
		if (!out)
			usleep(10000);
	}
	sched_setaffinity(0, sizeof(all), &all);
	return out ? 0 : EBUSY;
}

/* ---- orders --------------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*act)(struct area *area, const uint64_t *numbers);
} verbs[] = {
	[ACTOR_FORK] = { "fork", NULL },
	[ACTOR_PEER] = { "peer", NULL },
	[ACTOR_VFORK] = { "vfork", NULL },
	[ACTOR_EXIT] = { "exit", NULL },
	[ACTOR_OWN] = { "open", NULL },
	{ "anon", do_anon },
	{ "shared", do_shared },
	{ "huge", do_huge },
	{ "memfd", do_memfd },
	{ "map-shared", do_map_shared },
	{ "map-private", do_map_private },
	{ "close", do_close },
	{ "write", do_write },
	{ "alike", do_alike },
	{ "read", do_read },
	{ "unmap", do_unmap },
	{ "page-out", do_page_out },
};

#define VERBS (sizeof(verbs) / sizeof(*verbs))

static void obey(const struct actor_order *order, struct actor_reply *reply)
{
	struct area *area = &areas[order->numbers[0]];

	if (order->verb != ACTOR_OWN) {
		reply->error = verbs[order->verb].act(area, order->numbers);
		return;
	}
	area->fd = open(order->text, O_RDWR | O_CLOEXEC);
	reply->error = area->fd < 0 ? errno : 0;
}

static bool parse(char *line, uint32_t *ret_slot, struct actor_order *order)
{
	char *rest = line, *word = strsep(&rest, " \n"), *name = strsep(&rest, " \n"), *end;

	*ret_slot = (uint32_t)strtoul(word, NULL, 10);
	while (name && order->verb < VERBS && strcmp(verbs[order->verb].name, name) != 0)
		order->verb++;
	for (size_t i = 0; i < 4 && (word = strsep(&rest, " \n")) && *word;) {
		order->numbers[i] = strtoull(word, &end, 10);
		if (end == word)
			snprintf(order->text, sizeof(order->text), "%s", word);
		else
			i++;
	}
	order->slot = (uint32_t)order->numbers[0];
	return name && order->verb < VERBS && *ret_slot < ACTORS_MAX && actors_pid(*ret_slot) &&
	       order->slot < (order->verb < ACTOR_EXIT ? ACTORS_MAX : AREAS);
}

static void take_line(char *line)
{
	struct actor_order order = { 0 };
	struct actor_reply reply = { 0 };
	uint32_t slot;

	if (!parse(line, &slot, &order))
		reply.error = EINVAL;
	else if (order.verb == ACTOR_EXIT)
		actors_exit(slot);
	else
		reply = actors_order(slot, &order);
	if (reply.error)
		printf("error %s\n", strerror(reply.error));
	else
		printf("ok %d\n", reply.pid);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ok %d\n", actors_start(obey));
	while (getline(&line, &room, stdin) > 0)
		take_line(line);
	actors_end();
	return 0;
}
