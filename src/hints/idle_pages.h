/* SPDX-License-Identifier: MIT */
/*
 * Which pages of one address space are resident, and which of those idle: three bits a page, in blocks
 * of 2 MiB where anything is. 100 KiB for a GiB.
 */
#ifndef MEMOIR_HINTS_IDLE_PAGES_H
#define MEMOIR_HINTS_IDLE_PAGES_H

#include <memoir/idle.h>

#define IDLE_PAGE_BYTES UINT64_C(4096)
#define IDLE_BLOCK_PAGES 512u
#define IDLE_BLOCK_BYTES (IDLE_BLOCK_PAGES * IDLE_PAGE_BYTES)
#define IDLE_WORDS (IDLE_BLOCK_PAGES / 64)

/* Resident and neither idle nor unknown is touched. */
struct idle_block {
	uint64_t addr; /* a multiple of IDLE_BLOCK_BYTES */
	uint64_t resident[IDLE_WORDS], idle[IDLE_WORDS], unknown[IDLE_WORDS];
};

struct idle_pages {
	struct idle_block *blocks; /* rising */
	size_t count, room;
};

/* The block of an address, made if it isn't there; addresses must rise. NULL: out of memory. */
struct idle_block *idle_pages_block(struct idle_pages *pages, uint64_t addr);

/* Take in count pages from addr on, all of the same state. 0 or -ENOMEM. */
int idle_pages_add(struct idle_pages *pages, uint64_t addr, uint64_t count, bool idle);

/* Call none of them idle. */
void idle_pages_forget(struct idle_pages *pages);

/* Leave only those idle that were resident before. */
void idle_pages_only(struct idle_pages *now, const struct idle_pages *before);

/* Call the resident pages of a range idle. */
void idle_pages_mark(struct idle_pages *pages, uint64_t start, uint64_t end);

/*
 * `now` seen after `before`, both with idle for "accessed bit not set": idle stays what was not accessed at
 * either time; what was accessed before is unknown. Returns how many bits somebody else cleared.
 */
uint64_t idle_pages_since(struct idle_pages *now, const struct idle_pages *before);

void idle_pages_sum(const struct idle_pages *pages, uint64_t start, uint64_t end,
		    struct memoir_idle_figures *sum);
int idle_pages_runs(const struct idle_pages *pages, uint64_t start, uint64_t end,
		    int (*each)(uint64_t start, uint64_t end, void *arg), void *arg);
void idle_pages_free(struct idle_pages *pages);

#endif
