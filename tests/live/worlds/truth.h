/* SPDX-License-Identifier: MIT */
/*
 * What is true of a world's memory, page by page: the oracle. It reads pagemap, kpagecount and
 * kpageflags itself, and must not use anything of memoir.
 */
#ifndef WORLDS_TRUTH_H
#define WORLDS_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "world.h"

#define TRUTH_PAGE_BYTES 4096u
#define TRUTH_NONE UINT32_MAX
/* Of kpageflags: the first page of a large folio, and the others. */
#define TRUTH_FLAG_HEAD (1ull << 15)
#define TRUTH_FLAG_TAIL (1ull << 16)
#define TRUTH_FOLIO_FLAGS (TRUTH_FLAG_HEAD | TRUTH_FLAG_TAIL)

enum truth_kind {
	TRUTH_ANON,   /* a frame of anonymous memory */
	TRUTH_OBJECT, /* a frame of a file, of shmem or of the kernel */
	TRUTH_SWAP,   /* a swap entry */
	TRUTH_KINDS,
};

struct truth_region {
	uint64_t start, end;
	uint32_t space;
	uint32_t object; /* TRUTH_NONE where it is no shmem */
	bool is_own;     /* nobody but the world can map its pages */
};

/* One page as one region maps it. Sorted by key: mappings of one page stand together. */
struct truth_mapping {
	uint64_t key; /* kind << 60 | frame or swap entry */
	uint32_t region;
	uint32_t page; /* of the region */
};

struct truth_page {
	uint64_t key;
	uint32_t first; /* mapping */
	uint32_t count;
	uint64_t kernel_count; /* kpagecount; not of swap entries */
	uint64_t kernel_flags;
};

/* A shmem inode that a region of the world maps. */
struct truth_object {
	uint64_t device, inode;
	uint64_t holders; /* mask of spaces that have it open */
	uint64_t resident_pages, swapped_pages;
};

struct truth {
	struct truth_region *regions;
	struct truth_mapping *mappings;
	struct truth_page *pages;
	struct truth_object *objects;
	size_t region_count, region_room;
	size_t mapping_count, mapping_room;
	size_t page_count, page_room;
	size_t object_count, object_room;
	bool moving; /* a page was on its way from frame to frame */
};

static inline enum truth_kind truth_kind_of(uint64_t key)
{
	return (enum truth_kind)(key >> 60);
}

static inline uint64_t truth_frame_of(uint64_t key)
{
	return key & ((1ull << 60) - 1);
}

/* 0, or -1 where a process or a page could not be read. */
int truth_read(struct truth *truth, const struct world *world);
void truth_free(struct truth *truth);
/* Whether nothing at all has changed between the two. */
bool truth_equal(const struct truth *a, const struct truth *b);

/* The spaces that map a page, as a mask. */
uint64_t truth_mappers(const struct truth *truth, const struct truth_page *page);
/* Whether a page is still where it was in all its mappers. */
bool truth_stands(const struct truth *truth, const struct world *world,
		  const struct truth_page *page);

/* Runs of anonymous frames that the kernel frees as one: for a page, its first frame and how many. */
void truth_folio(const struct truth_page *page, uint64_t *ret_first, uint64_t *ret_count);

/* For truth_read(): the two halves that live in files of their own. */
int truth_read_objects(struct truth *truth, const struct world *world);
int truth_read_frames(struct truth *truth);
void *truth_grow(void *array, size_t *room, size_t count, size_t item_bytes);

#endif
