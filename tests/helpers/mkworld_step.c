// SPDX-License-Identifier: MIT
/*
 * The steps of a process of mkworld: what it has mapped, and what it does next with it. A step that
 * the kernel refuses is no step.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "actors.h"
#include "mkworld.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define PAGE_BYTES UINT64_C(4096)
#define HUGE_PAGES 512u
#define PAGES_MAX 64
#define AREAS_MAX 160
#define HUGE_MAX 2

/* One mapping, or the part of one that is alike all over. */
struct area {
	uint8_t *start;
	uint32_t pages;
	int prot;
	int fd;       /* of a memfd, or -1 */
	bool growing; /* private and anonymous: nothing ends before it does */
};

static struct area areas[AREAS_MAX];
static uint32_t area_count;
static uint32_t huge_count;

static uint32_t draw_pages(uint64_t *random)
{
	return 1 + world_draw_below(random, world_draw_below(random, 2) ? 8 : PAGES_MAX);
}

static void add_area(uint8_t *start, uint32_t pages, int prot, int fd, bool growing)
{
	if (area_count < AREAS_MAX)
		areas[area_count++] = (struct area){ start, pages, prot, fd, growing };
	else
		munmap(start, pages * PAGE_BYTES);
}

static void drop_area(struct area *area)
{
	*area = areas[--area_count];
}

/* A part of an area, as [*ret_from, *ret_to). */
static void draw_part(uint64_t *random, const struct area *area, uint32_t *ret_from,
		      uint32_t *ret_to)
{
	uint32_t from = world_draw_below(random, area->pages);

	*ret_from = from;
	*ret_to = from + 1 + world_draw_below(random, area->pages - from);
	if (world_draw_below(random, 4) == 0) {
		*ret_from = 0;
		*ret_to = area->pages;
	}
}

static uint8_t *page_of(const struct area *area, uint32_t page)
{
	return area->start + page * PAGE_BYTES;
}

/* ---- what comes ----------------------------------------------------------------------------- */

static void map_anon(uint64_t *random)
{
	bool shared = world_draw_below(random, 3) == 0;
	uint32_t pages = draw_pages(random);
	uint8_t *start = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
			      (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);

	if (start != MAP_FAILED)
		add_area(start, pages, PROT_READ | PROT_WRITE, -1, !shared);
}

static void map_memfd(uint64_t *random)
{
	uint32_t pages = draw_pages(random);
	int flags = world_draw_below(random, 2) ? MAP_SHARED : MAP_PRIVATE;
	int fd = memfd_create("mkworld", MFD_CLOEXEC);
	uint8_t *start;

	if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE_BYTES))) {
		close(fd);
		return;
	}
	start = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (world_draw_below(random, 2)) {
		close(fd);
		fd = -1;
	}
	if (start != MAP_FAILED)
		add_area(start, pages, PROT_READ | PROT_WRITE, fd, false);
}

/* The memfd of an area once more: from its first page on, and no page beyond its end. */
static void map_again(uint64_t *random, const struct area *area)
{
	int flags = world_draw_below(random, 2) ? MAP_SHARED : MAP_PRIVATE;
	off_t size = area->fd < 0 ? 0 : lseek(area->fd, 0, SEEK_END);
	uint32_t all = (uint32_t)((uint64_t)size / PAGE_BYTES), from;
	uint8_t *start;

	if (!all)
		return;
	from = world_draw_below(random, all);
	start = mmap(NULL, (all - from) * PAGE_BYTES, PROT_READ | PROT_WRITE, flags, area->fd,
		     (off_t)(from * PAGE_BYTES));
	if (start != MAP_FAILED)
		add_area(start, all - from, PROT_READ | PROT_WRITE, area->fd, false);
}

static void map_huge(void)
{
	const uint64_t bytes = HUGE_PAGES * PAGE_BYTES;
	uint8_t *start, *aligned;

	if (huge_count == HUGE_MAX)
		return;
	start = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return;
	huge_count++;
	aligned = start + (bytes - (uintptr_t)start % bytes) % bytes;
	if (aligned > start)
		munmap(start, (size_t)(aligned - start));
	munmap(aligned + bytes, (size_t)(start + bytes - aligned));
	madvise(aligned, bytes, MADV_HUGEPAGE);
	aligned[0] = 1;
	add_area(aligned, HUGE_PAGES, PROT_READ | PROT_WRITE, -1, false);
}

/* ---- what is done with it ------------------------------------------------------------------- */

static void write_some(uint64_t *random, const struct area *area)
{
	uint32_t from, to;

	draw_part(random, area, &from, &to);
	if (area->prot & PROT_WRITE)
		for (uint32_t i = from; i < to; i++)
			*(volatile uint64_t *)page_of(area, i) = world_draw(random);
}

static void read_some(uint64_t *random, const struct area *area)
{
	uint32_t from, to;

	draw_part(random, area, &from, &to);
	if (area->prot & PROT_READ)
		for (uint32_t i = from; i < to; i++)
			(void)*(volatile uint8_t *)page_of(area, i);
}

static void advise_some(uint64_t *random, const struct area *area, int advice)
{
	uint32_t from, to;

	draw_part(random, area, &from, &to);
	madvise(page_of(area, from), (to - from) * PAGE_BYTES, advice);
}

/* Cuts an area so that [from, to) is one of its own; returns that, or NULL for want of room. */
static struct area *cut(struct area *area, uint32_t from, uint32_t to)
{
	struct area rest = *area;

	if (area_count + 2 > AREAS_MAX)
		return NULL;
	if (to < area->pages) {
		rest.start = page_of(area, to);
		rest.pages = area->pages - to;
		areas[area_count++] = rest;
	}
	if (from > 0) {
		rest = *area;
		rest.pages = from;
		areas[area_count++] = rest;
	}
	area->start = page_of(area, from);
	area->pages = to - from;
	return area;
}

static void unmap_some(uint64_t *random, struct area *area)
{
	uint32_t from, to;

	draw_part(random, area, &from, &to);
	area = cut(area, from, to);
	if (area && munmap(area->start, area->pages * PAGE_BYTES) == 0)
		drop_area(area);
}

static void protect_some(uint64_t *random, struct area *area)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE };
	int prot = prots[world_draw_below(random, 4)];
	uint32_t from, to;

	draw_part(random, area, &from, &to);
	area = cut(area, from, to);
	if (area && mprotect(area->start, area->pages * PAGE_BYTES, prot) == 0)
		area->prot = prot;
}

static void move(uint64_t *random, struct area *area)
{
	uint32_t pages = area->growing ? draw_pages(random) : area->pages;
	uint8_t *start =
		mremap(area->start, area->pages * PAGE_BYTES, pages * PAGE_BYTES, MREMAP_MAYMOVE);

	if (start == MAP_FAILED)
		return;
	area->start = start;
	area->pages = pages;
}

/* To a place of its own, also where it could stay; sometimes what it leaves behind stays mapped. */
static void move_away(uint64_t *random, struct area *area)
{
	uint64_t bytes = area->pages * PAGE_BYTES;
	bool leave = area->growing && world_draw_below(random, 2);
	uint8_t *to = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *old;

	if (to == MAP_FAILED)
		return;
	old = area->start;
	if (mremap(old, bytes, bytes,
		   MREMAP_MAYMOVE | MREMAP_FIXED | (leave ? MREMAP_DONTUNMAP : 0),
		   to) == MAP_FAILED) {
		munmap(to, bytes);
		return;
	}
	area->start = to;
	if (leave)
		add_area(old, area->pages, area->prot, -1, true);
}

static void close_one(const struct area *area)
{
	int fd = area->fd;

	if (fd < 0)
		return;
	close(fd);
	for (uint32_t i = 0; i < area_count; i++)
		if (areas[i].fd == fd)
			areas[i].fd = -1;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void use(uint64_t *random, struct area *area, uint32_t dice)
{
	if (dice < 30)
		write_some(random, area);
	else if (dice < 42)
		read_some(random, area);
	else if (dice < 49)
		move(random, area);
	else if (dice < 55)
		move_away(random, area);
	else if (dice < 66)
		unmap_some(random, area);
	else if (dice < 77)
		protect_some(random, area);
	else if (dice < 85)
		advise_some(random, area, MADV_DONTNEED);
	else if (dice < 92)
		advise_some(random, area, MADV_PAGEOUT);
	else if (dice < 96)
		map_again(random, area);
	else
		close_one(area);
}

void world_step(const struct actor_order *order, struct actor_reply *reply)
{
	uint64_t random = order->numbers[0];
	uint32_t dice = world_draw_below(&random, 100);
	struct area *newest = &areas[area_count];

	(void)reply;
	if (area_count && dice >= 35) {
		use(&random, &areas[world_draw_below(&random, area_count)],
		    world_draw_below(&random, 100));
		return;
	}
	if (dice < 3)
		map_huge();
	else if (dice < 22)
		map_anon(&random);
	else
		map_memfd(&random);
	if (newest < &areas[area_count])
		write_some(&random, newest);
}
