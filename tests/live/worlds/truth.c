// SPDX-License-Identifier: MIT
/*
 * Reads maps and pagemap of every process of a world into mapper lists, and compares two readings.
 */
#include "truth.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WORD_FILE (1ull << 61)
#define WORD_SWAP (1ull << 62)
#define WORD_PRESENT (1ull << 63)
#define WORD_VALUE ((1ull << 55) - 1)
/* Types of swap entries that are swap; those behind are migration, markers and the like. */
#define SWAP_TYPES 20
#define MARKER_OFFSETS 16
#define WORDS_MAX 4096
#define FLAG_ZERO (1ull << 24)

void *truth_grow(void *array, size_t *room, size_t count, size_t item_bytes)
{
	if (count <= *room)
		return array;
	*room = count + count / 2 + 64;
	array = realloc(array, *room * item_bytes);
	if (!array) {
		perror("realloc");
		exit(1);
	}
	return array;
}

/* ---- regions -------------------------------------------------------------------------------- */

static uint32_t object_of(struct truth *truth, uint64_t device, uint64_t inode)
{
	size_t i = 0;

	while (i < truth->object_count &&
	       (truth->objects[i].device != device || truth->objects[i].inode != inode))
		i++;
	if (i < truth->object_count)
		return (uint32_t)i;
	truth->objects =
		truth_grow(truth->objects, &truth->object_room, i + 1, sizeof(*truth->objects));
	truth->objects[truth->object_count++] =
		(struct truth_object){ .device = device, .inode = inode };
	return (uint32_t)i;
}

static bool is_shmem(const char *path)
{
	return strncmp(path, "/memfd:", 7) == 0 || strncmp(path, "/dev/zero", 9) == 0;
}

static void take_region(struct truth *truth, uint32_t space, const char *line)
{
	struct truth_region region = { .space = space, .object = TRUTH_NONE };
	unsigned int major, minor;
	uint64_t inode;
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*x %x:%x %" SCNu64 " %n", &region.start,
		   &region.end, &major, &minor, &inode, &path) != 5)
		return;
	/* Not memory of the process; it has no pagemap. */
	if (strncmp(line + path, "[vsyscall]", 10) == 0)
		return;
	region.is_own = !inode && strncmp(line + path, "[v", 2) != 0;
	if (inode && is_shmem(line + path)) {
		region.object = object_of(truth, makedev(major, minor), inode);
		region.is_own = true;
	}
	truth->regions = truth_grow(truth->regions, &truth->region_room, truth->region_count + 1,
				    sizeof(region));
	truth->regions[truth->region_count++] = region;
}

static int read_maps(struct truth *truth, const struct world *world, uint32_t space)
{
	char path[64], *line = NULL;
	size_t room = 0, before = truth->region_count;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", world->spaces[space].pid);
	file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0)
		take_region(truth, space, line);
	free(line);
	if (file)
		fclose(file);
	return truth->region_count > before ? 0 : -1;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static uint64_t key_of(uint64_t word)
{
	enum truth_kind kind = word & WORD_FILE ? TRUTH_OBJECT : TRUTH_ANON;

	if (!(word & WORD_PRESENT))
		kind = TRUTH_SWAP;
	return (uint64_t)kind << 60 | (word & WORD_VALUE);
}

static void take_word(struct truth *truth, uint32_t region, uint64_t page, uint64_t word)
{
	struct truth_mapping mapping = {
		.key = key_of(word),
		.region = region,
		.page = (uint32_t)page,
	};

	if (!(word & (WORD_PRESENT | WORD_SWAP)))
		return;
	if (!(word & WORD_PRESENT) && (word & 31) >= SWAP_TYPES) {
		truth->moving |= (word & WORD_VALUE) >> 5 >= MARKER_OFFSETS;
		return;
	}
	truth->mappings = truth_grow(truth->mappings, &truth->mapping_room,
				     truth->mapping_count + 1, sizeof(mapping));
	truth->mappings[truth->mapping_count++] = mapping;
}

static int read_pages(struct truth *truth, int fd, uint32_t region)
{
	static uint64_t words[WORDS_MAX];
	uint64_t first = truth->regions[region].start / TRUTH_PAGE_BYTES;
	uint64_t end = truth->regions[region].end / TRUTH_PAGE_BYTES;

	for (uint64_t at = first; at < end;) {
		size_t want = end - at < WORDS_MAX ? end - at : WORDS_MAX;
		ssize_t got = pread(fd, words, want * sizeof(*words), (off_t)(at * sizeof(*words)));

		if (got <= 0)
			return -1;
		for (size_t i = 0; i < (size_t)got / sizeof(*words); i++)
			take_word(truth, region, at - first + i, words[i]);
		at += (size_t)got / sizeof(*words);
	}
	return 0;
}

static int open_pagemap(const struct world *world, uint32_t space)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", world->spaces[space].pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool truth_stands(const struct truth *truth, const struct world *world,
		  const struct truth_page *page)
{
	bool stands = true;

	for (uint32_t i = 0; i < page->count && stands; i++) {
		const struct truth_mapping *mapping = &truth->mappings[page->first + i];
		const struct truth_region *region = &truth->regions[mapping->region];
		uint64_t at = region->start / TRUTH_PAGE_BYTES + mapping->page, word = 0;
		int fd = open_pagemap(world, region->space);

		stands = fd >= 0 &&
			 pread(fd, &word, sizeof(word), (off_t)(at * sizeof(word))) ==
				 sizeof(word) &&
			 key_of(word) == page->key;
		if (fd >= 0)
			close(fd);
	}
	return stands;
}

static int read_space(struct truth *truth, const struct world *world, uint32_t space)
{
	size_t first = truth->region_count;
	int fd = open_pagemap(world, space), err = fd < 0 ? -1 : read_maps(truth, world, space);

	for (size_t i = first; i < truth->region_count && !err; i++)
		err = read_pages(truth, fd, (uint32_t)i);
	if (fd >= 0)
		close(fd);
	return err;
}

/* ---- mapper lists --------------------------------------------------------------------------- */

static int by_key(const void *left, const void *right)
{
	const struct truth_mapping *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	if (a->region != b->region)
		return a->region < b->region ? -1 : 1;
	return a->page < b->page ? -1 : a->page > b->page;
}

static void list_pages(struct truth *truth)
{
	qsort(truth->mappings, truth->mapping_count, sizeof(*truth->mappings), by_key);
	truth->pages = truth_grow(truth->pages, &truth->page_room, truth->mapping_count,
				  sizeof(*truth->pages));
	for (size_t i = 0; i < truth->mapping_count; i++) {
		if (i && truth->mappings[i].key == truth->mappings[i - 1].key)
			truth->pages[truth->page_count - 1].count++;
		else
			truth->pages[truth->page_count++] = (struct truth_page){
				.key = truth->mappings[i].key,
				.first = (uint32_t)i,
				.count = 1,
			};
	}
}

uint64_t truth_mappers(const struct truth *truth, const struct truth_page *page)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < page->count; i++) {
		uint32_t region = truth->mappings[page->first + i].region;

		mask |= 1ull << truth->regions[region].space;
	}
	return mask;
}

/* Nobody's page: not counted by anyone. */
static void drop_zero_pages(struct truth *truth)
{
	size_t kept = 0;

	for (size_t i = 0; i < truth->page_count; i++)
		if (!(truth->pages[i].kernel_flags & FLAG_ZERO))
			truth->pages[kept++] = truth->pages[i];
	truth->page_count = kept;
}

int truth_read(struct truth *truth, const struct world *world)
{
	int err = 0;

	*truth = (struct truth){ 0 };
	for (uint32_t i = 0; i < world->space_count && !err; i++)
		err = read_space(truth, world, i);
	if (err)
		return err;
	list_pages(truth);
	err = truth_read_frames(truth);
	drop_zero_pages(truth);
	return err ? err : truth_read_objects(truth, world);
}

void truth_free(struct truth *truth)
{
	free(truth->regions);
	free(truth->mappings);
	free(truth->pages);
	free(truth->objects);
	*truth = (struct truth){ 0 };
}

static bool same(const void *a, const void *b, size_t a_count, size_t b_count, size_t bytes)
{
	return a_count == b_count && (!a_count || memcmp(a, b, a_count * bytes) == 0);
}

bool truth_equal(const struct truth *a, const struct truth *b)
{
	if (a->moving || b->moving || a->page_count != b->page_count)
		return false;
	/* Counts and other flags may change by what others do with their files. */
	for (size_t i = 0; i < a->page_count; i++)
		if (a->pages[i].key != b->pages[i].key || a->pages[i].count != b->pages[i].count ||
		    (a->pages[i].kernel_flags ^ b->pages[i].kernel_flags) & TRUTH_FOLIO_FLAGS)
			return false;
	return same(a->mappings, b->mappings, a->mapping_count, b->mapping_count,
		    sizeof(*a->mappings)) &&
	       same(a->objects, b->objects, a->object_count, b->object_count, sizeof(*a->objects));
}
