/*
 * Ranges of memory, what is true of them, and the pages behind them. Truth is computed from what
 * the scenario did; the page table is asked only whether the kernel did it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "mkmem.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define RAW_SHIFT 12
#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_SWAP (UINT64_C(1) << 62)
#define PM_FRAME ((UINT64_C(1) << 55) - 1)
/* Migration entries, guards and markers also have PM_SWAP set; their types come after these. */
#define SWAP_TYPES 20
#define PAGE_OUT_TRIES 200

struct truth truth_of(const char *role, const uint8_t *start, uint64_t pages)
{
	return (struct truth){ .role = role, .start = start, .bytes = pages * PAGE_BYTES };
}

static uint64_t raw(uint64_t pages, uint64_t count)
{
	return pages * ((PAGE_BYTES << RAW_SHIFT) / count);
}

static void add_resident(struct truth *truth, uint64_t pages, uint64_t mapcount)
{
	truth->rss_pages += pages;
	truth->pss_raw += raw(pages, mapcount);
	*(mapcount == 1 ? &truth->uss_pages : &truth->shared_pages) += pages;
}

void add_anon(struct truth *truth, uint64_t pages, uint64_t mapcount)
{
	add_resident(truth, pages, mapcount);
	truth->anon_pages += pages;
}

void add_shmem(struct truth *truth, uint64_t pages, uint64_t mapcount)
{
	add_resident(truth, pages, mapcount);
	truth->shmem_pages += pages;
}

void add_file(struct truth *truth, int fd, uint64_t pages, uint64_t mapcount)
{
	struct statfs about;

	if (fstatfs(fd, &about))
		broken("fstatfs");
	add_resident(truth, pages, mapcount);
	*(about.f_type == TMPFS_MAGIC ? &truth->shmem_pages : &truth->file_pages) += pages;
}

void add_swap(struct truth *truth, uint64_t pages, uint64_t entry_count)
{
	truth->swap_pages += pages;
	truth->swap_pss_raw += raw(pages, entry_count);
}

void add_shmem_swap(struct truth *truth, uint64_t pages)
{
	truth->swap_pages += pages;
}

void add_hex(struct truth *truth, const char *key, const void *bytes, size_t length)
{
	size_t at = strlen(truth->extra), room = sizeof(truth->extra);

	if (at + strlen(key) + 2 * length + 8 > room)
		broken("no room for a name");
	at += (size_t)snprintf(truth->extra + at, room - at, ",\"%s\":\"", key);
	for (size_t i = 0; i < length; i++)
		at += (size_t)snprintf(truth->extra + at, room - at, "%02x",
				       ((const uint8_t *)bytes)[i]);
	snprintf(truth->extra + at, room - at, "\"");
}

uint8_t *place(uint64_t pages)
{
	uint8_t *start = mmap(NULL, (pages + 2) * PAGE_BYTES, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		broken("mmap");
	return start + PAGE_BYTES;
}

uint8_t *range_new(uint64_t pages)
{
	uint8_t *start = place(pages);

	if (mprotect(start, pages * PAGE_BYTES, PROT_READ | PROT_WRITE))
		broken("mprotect");
	/* One page a fault, whatever sizes this machine may use; refused where there is no THP. */
	madvise(start, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
	return start;
}

uint8_t *range_written(uint64_t pages)
{
	uint8_t *start = range_new(pages);

	write_pages(start, 0, pages);
	return start;
}

uint8_t *huge_new(uint64_t huge_pages)
{
	uint64_t bytes = huge_pages * HUGE_BYTES;
	uint8_t *start = mmap(NULL, bytes + 2 * HUGE_BYTES, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		broken("mmap");
	start += HUGE_BYTES - (uintptr_t)start % HUGE_BYTES;
	if (mprotect(start, bytes, PROT_READ | PROT_WRITE))
		broken("mprotect");
	if (madvise(start, bytes, MADV_HUGEPAGE))
		skip("this kernel has no transparent huge pages (%s)", strerror(errno));
	return start;
}

uint8_t *map_fd(int fd, uint64_t from_page, uint64_t pages, int prot, int flags)
{
	uint8_t *start = place(pages);

	start = mmap(start, pages * PAGE_BYTES, prot, flags | MAP_FIXED, fd,
		     (off_t)(from_page * PAGE_BYTES));
	if (start == MAP_FAILED)
		broken("mmap of a file");
	return start;
}

int memfd_of(const char *name, uint64_t pages)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE_BYTES)))
		broken("memfd");
	return fd;
}

uint8_t *page_at(uint8_t *start, uint64_t index)
{
	return start + index * PAGE_BYTES;
}

void write_pages(uint8_t *start, uint64_t from, uint64_t to)
{
	/* All differ, so that nothing merges them. */
	for (uint64_t i = from; i < to; i++)
		*(volatile uint64_t *)page_at(start, i) =
			(uintptr_t)page_at(start, i) ^ ((uint64_t)getpid() << 40) ^ 1;
}

void read_pages(const uint8_t *start, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		(void)*(const volatile uint8_t *)(start + i * PAGE_BYTES);
}

static uint64_t pagemap_word(int fd, const uint8_t *at)
{
	uint64_t word;

	if (pread(fd, &word, sizeof(word), (off_t)((uintptr_t)at / PAGE_BYTES * sizeof(word))) !=
	    sizeof(word))
		broken("reading pagemap");
	return word;
}

static int open_pagemap(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		broken("/proc/self/pagemap");
	return fd;
}

uint64_t present_pages(const uint8_t *start, uint64_t pages)
{
	int fd = open_pagemap();
	uint64_t count = 0;

	for (uint64_t i = 0; i < pages; i++)
		count += !!(pagemap_word(fd, start + i * PAGE_BYTES) & PM_PRESENT);
	close(fd);
	return count;
}

uint64_t swapped_pages(const uint8_t *start, uint64_t pages)
{
	int fd = open_pagemap();
	uint64_t count = 0, word;

	for (uint64_t i = 0; i < pages; i++) {
		word = pagemap_word(fd, start + i * PAGE_BYTES);
		count += (word & PM_SWAP) && (word & 31) < SWAP_TYPES;
	}
	close(fd);
	return count;
}

uint64_t frame_of(const uint8_t *start)
{
	int fd = open_pagemap();
	uint64_t word = pagemap_word(fd, start);

	close(fd);
	return word & PM_PRESENT ? word & PM_FRAME : 0;
}

uint64_t mapcount_of(uint64_t frame)
{
	int fd = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	uint64_t count = 0;

	if (fd < 0)
		skip("/proc/kpagecount cannot be opened (%s)", strerror(errno));
	if (pread(fd, &count, sizeof(count), (off_t)(frame * sizeof(count))) != sizeof(count))
		count = 0;
	close(fd);
	return count;
}

void need_huge(const uint8_t *start, uint64_t huge_pages)
{
	uint64_t frame;

	for (uint64_t i = 0; i < huge_pages; i++) {
		frame = frame_of(start + i * HUGE_BYTES);
		if (!frame)
			skip("frame numbers are hidden from this user");
		/* By chance 1 in 2^9 for the alignment, and then the last page would have to fit. */
		if (frame % HUGE_PAGES ||
		    frame_of(start + (i + 1) * HUGE_BYTES - PAGE_BYTES) != frame + HUGE_PAGES - 1)
			skip("the kernel gave no huge pages for advised memory");
	}
}

void need_swap(void)
{
	FILE *file = fopen("/proc/swaps", "re");
	char line[512];
	int lines = 0;

	while (file && fgets(line, sizeof(line), file))
		lines++;
	if (file)
		fclose(file);
	if (lines < 2)
		skip("no swap is on");
}

void page_out(uint8_t *start, uint64_t pages)
{
	uint64_t swapped = 0;

	for (int i = 0; i < PAGE_OUT_TRIES; i++) {
		if (madvise(start, pages * PAGE_BYTES, MADV_PAGEOUT))
			skip("MADV_PAGEOUT is refused (%s)", strerror(errno));
		swapped = swapped_pages(start, pages);
		if (swapped == pages)
			return;
		usleep(10000);
	}
	skip("only %lu of %lu pages would be paged out", (unsigned long)swapped,
	     (unsigned long)pages);
}

/* In the page cache or the swap cache still; they have no word in the page table to look at. */
static uint64_t cached_pages(uint8_t *start, uint64_t pages)
{
	static unsigned char resident[4096];
	uint64_t count = 0;

	if (pages > sizeof(resident) || mincore(start, pages * PAGE_BYTES, resident))
		broken("mincore");
	for (uint64_t i = 0; i < pages; i++)
		count += resident[i] & 1;
	return count;
}

void page_out_shmem(uint8_t *start, uint64_t pages)
{
	uint64_t cached = pages;

	for (int i = 0; i < PAGE_OUT_TRIES; i++) {
		if (madvise(start, pages * PAGE_BYTES, MADV_PAGEOUT))
			skip("MADV_PAGEOUT is refused (%s)", strerror(errno));
		cached = cached_pages(start, pages) + present_pages(start, pages);
		if (!cached)
			return;
		usleep(10000);
	}
	skip("%lu of %lu pages of shmem would not be paged out", (unsigned long)cached,
	     (unsigned long)pages);
}

void pin_cpu(void)
{
	cpu_set_t set;

	/* Pages that another CPU faulted wait in its LRU batch, where paging out does not see them. */
	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}
