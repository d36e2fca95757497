/* SPDX-License-Identifier: MIT */
/*
 * What a frame of memory is used for, by its words of /proc/kpageflags and /proc/kpagecount.
 */
#ifndef MEMOIR_KERNEL_FRAME_CLASS_H
#define MEMOIR_KERNEL_FRAME_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every frame is in exactly one class. */
enum frame_class {
	FRAME_OTHER,  /* no flag tells: kernel memory, per-CPU free lists, memory not set up yet */
	FRAME_ABSENT, /* a hole, or memory that is offline */
	FRAME_RESERVED, /* taken at boot, outside MemTotal */
	FRAME_FREE,     /* in the buddy allocator */
	FRAME_OFFLINE,  /* ballooned away, or unplugged in part */
	FRAME_POISONED, /* withdrawn after a memory error */
	FRAME_ANON,
	FRAME_ANON_HUGE,     /* in a folio of 2 MiB or more */
	FRAME_ANON_LAZY,     /* MADV_FREE: clean, to be dropped when memory is short */
	FRAME_ANON_UNMAPPED, /* of a large folio that is still mapped elsewhere, or about to go */
	FRAME_SWAP_CACHE,    /* not mapped, and in swap as well */
	FRAME_FILE_MAPPED,
	FRAME_CACHE_CLEAN, /* page cache that nobody maps */
	FRAME_CACHE_DIRTY, /* the same, but dirty, being written or locked in memory */
	FRAME_SHMEM_MAPPED,
	FRAME_SHMEM_UNMAPPED,
	FRAME_HUGETLB, /* of the pool, used or not */
	FRAME_SLAB,
	FRAME_PAGE_TABLE,
	FRAME_CLASSES,
};

/* "anon", "cache_clean" …: what a snapshot calls the class. */
const char *frame_class_name(enum frame_class class);

/* A block is what one huge page takes; its first frame's number is a multiple of this. */
#define FRAME_BLOCK 512u

/* Whether kpagecount is needed to tell which pages of this block's large folios are mapped. */
bool frame_block_needs_counts(const uint64_t *flags, size_t frames);

/*
 * Count the frames of a block (the last one may be shorter) into pages[FRAME_CLASSES].
 * counts: the block's words of kpagecount; NULL where they are not needed.
 */
void frame_block_count(const uint64_t *flags, const uint64_t *counts, size_t frames,
		       uint64_t *pages);

#endif
