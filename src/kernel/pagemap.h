/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/pagemap: one 64-bit word a page, and the PAGEMAP_SCAN ioctl (Linux 6.7).
 * Frames and swap offsets need CAP_SYS_ADMIN in the initial user namespace; without it they read 0.
 */
#ifndef MEMOIR_KERNEL_PAGEMAP_H
#define MEMOIR_KERNEL_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/pte.h"
#include "kernel/root.h"

#define PAGEMAP_BIT_SOFT_DIRTY (1ull << 55) /* see clear_refs.h; 0 without CONFIG_MEM_SOFT_DIRTY */
#define PAGEMAP_BIT_EXCLUSIVE (1ull << 56)  /* wrong for PMD-mapped huge pages */
#define PAGEMAP_BIT_FILE (1ull << 61)
#define PAGEMAP_BIT_SWAP (1ull << 62)
#define PAGEMAP_BIT_PRESENT (1ull << 63)
#define PAGEMAP_VALUE_MASK ((1ull << 55) - 1)

static inline bool pagemap_present(uint64_t word)
{
	return word & PAGEMAP_BIT_PRESENT;
}

static inline uint64_t pagemap_frame(uint64_t word)
{
	return word & PAGEMAP_VALUE_MASK;
}

/* The bit is set on every entry that is not present and not empty: only real swap types are swap. */
static inline bool pagemap_swapped(uint64_t word)
{
	return !pagemap_present(word) && (word & PAGEMAP_BIT_SWAP) && (word & 31) < SWAP_TYPES;
}

static inline bool pagemap_migrating(uint64_t word)
{
	return !pagemap_present(word) && (word & PAGEMAP_BIT_SWAP) && (word & 31) >= SWAP_TYPES &&
	       (word & PAGEMAP_VALUE_MASK) >> 5 >= SWAP_MARKER_OFFSETS;
}

/* fd or negative errno. A process's pagemap keeps its address space alive as long as it is open. */
int pagemap_open(const struct kroot *root, pid_t pid);
int pagemap_open_thread(const struct kroot *root, pid_t pid, pid_t tid);

/* Words of `count` pages from page number `page` on; how many were read (fewer at the end), or -errno. */
ssize_t pagemap_read(int fd, uint64_t page, uint64_t *words, size_t count);

/* Whether frames are shown to this process. */
bool pagemap_shows_frames(const struct kroot *root);

/*
 * A page of address space, with nothing in it, that is the last one its page table maps; NULL: no memory. Asked for the
 * word of any page, the kernel walks on to the end of the table, which takes up to 50 µs.
 */
void *pagemap_probe_room(void);

/* The frame that pagemap calls the zero page by; UINT64_MAX where frames are not shown. */
uint64_t pagemap_zero_frame(const struct kroot *root);

struct pagemap_run {
	uint64_t start, end;
	uint64_t categories; /* PAGEMAP_RUN_… */
};

#define PAGEMAP_RUN_FILE (1ull << 2)
#define PAGEMAP_RUN_PRESENT (1ull << 3)
#define PAGEMAP_RUN_SWAPPED (1ull << 4) /* also markers: look at the words */
#define PAGEMAP_RUN_ZERO (1ull << 5)
#define PAGEMAP_RUN_HUGE (1ull << 6)

/*
 * Runs of pages that are present or swapped and not the zero page, by their categories (present,
 * swapped, huge; file as well if asked for: that touches struct page and costs four times as much).
 * Returns the number of runs, and in *ret_walked the address up to which was walked. -ESRCH: gone.
 */
ssize_t pagemap_scan(int fd, uint64_t start, uint64_t end, bool file, struct pagemap_run *runs,
		     size_t room, uint64_t *ret_walked);

/* 0 where the ioctl works on this kernel. */
int pagemap_scan_probe(const struct kroot *root);

#endif
