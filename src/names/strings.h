/* SPDX-License-Identifier: MIT */
/*
 * The names in the table's space: each is there once, counted by the ranges that have it. For the holder
 * of the turn only.
 */
#ifndef MEMOIR_NAMES_STRINGS_H
#define MEMOIR_NAMES_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "names/hint.h"
#include "names/same_text.h"
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

/* Names by where the process has strings that were looked up; none of them is freed. */
extern struct hints strings_seen;

/* What the string there was when it was seen last, if it still is that; 0: look it up. */
static inline uint32_t strings_recall(const char *text)
{
	uint32_t name = hint_look(&strings_seen, (uintptr_t)text);
	const struct name_string *string = name ? strings_at(name) : NULL;

	return name && is_same_text(string->text, string->length + 1u, text) ? name : 0;
}

static inline void strings_remember(const char *text, uint32_t name)
{
	hint_keep(&strings_seen, (uintptr_t)text, name);
}

static inline void strings_ref(uint32_t name)
{
	struct name_string *string = strings_at(name);

	if (string->writers_own++ == 0) {
		strings.idle--;
		strings.live_bytes += string->length + 1u;
	}
}

static inline void strings_unref(uint32_t name)
{
	struct name_string *string = strings_at(name);

	if (--string->writers_own == 0) {
		strings.idle++;
		strings.live_bytes -= string->length + 1u;
	}
}

/* When the table is given up. */
void strings_drop_index(void);

/* After a fork in the middle of anything: forget all, then keep each name as often as a range has it. */
void strings_forget(void);
int strings_keep(uint32_t name);

void strings_count(uint64_t *ret_names, uint64_t *ret_bytes, uint64_t *ret_own_bytes);

#endif
