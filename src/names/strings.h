/* SPDX-License-Identifier: MIT */
/*
 * The names in the table's space: each is there once, counted by the ranges that have it. For the holder
 * of the turn only.
 */
#ifndef MEMOIR_NAMES_STRINGS_H
#define MEMOIR_NAMES_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "names/space.h"

struct text {
	const char *bytes;
	size_t length;
	uint64_t hash; /* XXH3-64 */
};

#define STRINGS_UNIT 8u
#define STRINGS_CLASSES \
	((sizeof(struct name_string) + NAME_TEXT_MAX + 1 + STRINGS_UNIT - 1) / STRINGS_UNIT + 1)

/* For names/several.c, which writes several tables. */
struct strings {
	uint32_t *slots; /* a name and 8 bits of its hash; 0: free */
	uint32_t slot_count;
	uint32_t count;                  /* names that are known */
	uint32_t idle;                   /* those of them that no range has */
	uint64_t live_bytes;             /* of the others */
	uint32_t freed[STRINGS_CLASSES]; /* by size: the first of a list */
	uint64_t next, end;              /* of the block that is being filled */
};

extern struct strings strings;

static inline struct name_string *strings_at(uint32_t name)
{
	return space_at((uint64_t)name * 8);
}

/* The number of the name, or 0: it is not there. */
uint32_t strings_find(const struct text *text);
/* Put in what strings_find() did not find. 0: no memory. */
uint32_t strings_add(const struct text *text);

void strings_ref(uint32_t name);
void strings_unref(uint32_t name);

/* After a fork in the middle of anything: forget all, then keep each name as often as a range has it. */
void strings_forget(void);
int strings_keep(uint32_t name);

void strings_count(uint64_t *ret_names, uint64_t *ret_bytes, uint64_t *ret_own_bytes);

#endif
