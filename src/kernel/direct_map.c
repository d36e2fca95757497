// SPDX-License-Identifier: MIT
/*
 * The direct map, found by what lies in it; reads kpageflags and nothing of the kernel's memory.
 */
#include "kernel/direct_map.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/pagemap.h"

#define GIB (1ull << 30)
#define PAGE 4096

void witnesses_add(struct witnesses *w, uint64_t addr)
{
	if (addr && w->count < WITNESSES)
		w->addr[w->count++] = addr;
}

static bool all_slab(const struct kpage *kpage, const struct witnesses *w, uint64_t base,
		     uint64_t max_phys)
{
	for (size_t i = 0; i < w->count; i++) {
		uint64_t flags;

		if (w->addr[i] < base || w->addr[i] - base >= max_phys)
			return false;
		if (kpage_flags(kpage, (w->addr[i] - base) >> 12, &flags) < 0 ||
		    !(flags & KPAGE_SLAB))
			return false;
	}
	return true;
}

/*
 * The direct map starts at a multiple of 1 GiB (the kernel randomises it by whole PUDs), so a slab
 * object's address leaves one candidate per GiB of memory; under the right one, and in practice only
 * there, all the objects' frames are slab pages.
 */
uint64_t direct_map_find(const struct kpage *kpage, uint64_t max_phys, const struct witnesses *w)
{
	uint64_t found = 0;

	if (w->count < 4)
		return 0;
	for (uint64_t phys = 0; phys <= max_phys; phys += GIB) {
		uint64_t base = (w->addr[0] & ~(GIB - 1)) - phys;

		if (!all_slab(kpage, w, base, max_phys))
			continue;
		if (found)
			return 0;
		found = base;
	}
	return found;
}

/* Five-level paging moves it below ffff8…. */
unsigned int direct_map_levels(uint64_t direct_map)
{
	return direct_map >> 47 == 0x1ffff ? 4 : 5;
}

static uint64_t frame_at(const struct kroot *root, uint64_t addr)
{
	int fd = pagemap_open(root, getpid());
	uint64_t word = 0;

	if (fd < 0)
		return 0;
	ssize_t got = pagemap_read(fd, addr >> 12, &word, 1);

	close(fd);
	return got == 1 && pagemap_present(word) ? pagemap_frame(word) : 0;
}

int own_page_make(const struct kroot *root, struct own_page *page)
{
	char *room = pagemap_probe_room(), *at;

	*page = (struct own_page){ .memfd = memfd_create("memoir-probe", MFD_CLOEXEC),
				   .addr = (uint64_t)(uintptr_t)room };
	if (page->memfd < 0 || ftruncate(page->memfd, PAGE) < 0)
		return -errno;
	at = mmap(room, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | (room ? MAP_FIXED : 0),
		  page->memfd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*at = 1;
	page->addr = (uint64_t)(uintptr_t)at;
	page->frame = frame_at(root, page->addr);
	return page->frame ? 0 : -EPERM;
}

void own_page_end(struct own_page *page)
{
	if (page->addr)
		munmap((void *)(uintptr_t)page->addr, PAGE);
	if (page->memfd >= 0)
		close(page->memfd);
	*page = (struct own_page){ .memfd = -1 };
}
