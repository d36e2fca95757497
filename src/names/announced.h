/* SPDX-License-Identifier: MIT */
/*
 * What ranges beyond all memory mean in a name table (docs/NAME-TABLE.md, *Announcements*); no code of writer or
 * reader.
 */
#ifndef MEMOIR_NAMES_ANNOUNCED_H
#define MEMOIR_NAMES_ANNOUNCED_H

#include <stdbool.h>
#include <stdint.h>

#include "names/format.h"

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

enum announced_sort {
	ANNOUNCED_OWNER,     /* who announces: of what a child of fork inherits it is another one */
	ANNOUNCED_BUFFER,    /* its length is the buffer's */
	ANNOUNCED_REFERENCE, /* its length is how often a process holds a buffer */
	ANNOUNCED_TAG,       /* what a file is called */
};

#define ANNOUNCED_SORT_SHIFT 61
#define ANNOUNCED_NUMBER_SHIFT 41
#define ANNOUNCED_PID_SHIFT 19

#define ANNOUNCED_NUMBERS (1u << 20)
#define ANNOUNCED_PIDS (1 << 22)
#define ANNOUNCED_COUNT_MAX ((1u << ANNOUNCED_PID_SHIFT) - 2)

static inline uint64_t announced_sort_from(enum announced_sort sort)
{
	return NAME_ANNOUNCED | (uint64_t)sort << ANNOUNCED_SORT_SHIFT;
}

static inline uint64_t announced_owner(int32_t pid)
{
	return announced_sort_from(ANNOUNCED_OWNER) | (uint32_t)pid;
}

static inline uint64_t announced_buffer(uint32_t number)
{
	return announced_sort_from(ANNOUNCED_BUFFER) | (uint64_t)number << ANNOUNCED_NUMBER_SHIFT;
}

static inline uint64_t announced_reference(uint32_t number, int32_t pid)
{
	return announced_sort_from(ANNOUNCED_REFERENCE) |
	       (uint64_t)number << ANNOUNCED_NUMBER_SHIFT | (uint64_t)pid << ANNOUNCED_PID_SHIFT;
}

/* A file by what /proc/PID/maps says of it. */
static inline uint64_t announced_tag(uint32_t dev_major, uint32_t dev_minor, uint64_t inode)
{
	const struct {
		uint32_t dev_major, dev_minor;
		uint64_t inode;
	} file = { dev_major, dev_minor, inode };
	uint64_t hash = XXH3_64bits(&file, sizeof(file));

	return announced_sort_from(ANNOUNCED_TAG) | (hash & ((1ull << 60) - 1)) << 1;
}

static inline enum announced_sort announced_sort_of(uint64_t start)
{
	return start >> ANNOUNCED_SORT_SHIFT & 3;
}

static inline uint32_t announced_number_of(uint64_t start)
{
	return start >> ANNOUNCED_NUMBER_SHIFT & (ANNOUNCED_NUMBERS - 1);
}

static inline int32_t announced_pid_of(uint64_t start)
{
	return (int32_t)(start >> ANNOUNCED_PID_SHIFT & (ANNOUNCED_PIDS - 1));
}

#endif
