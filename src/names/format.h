/* SPDX-License-Identifier: MIT */
/*
 * The layout of a name table, as docs/NAME-TABLE.md describes it; no code of writer or reader.
 */
#ifndef MEMOIR_NAMES_FORMAT_H
#define MEMOIR_NAMES_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NAME_TABLE_MAGIC "memoirNT"
#define NAME_TABLE_VERSION 1u
#define NAME_ANCHOR "memoir-names"

#define NAME_BLOCK_BYTES 1024u
/* A table is one space of bytes in segments: the first of this size, each other as large as all before. */
#define NAME_SEGMENT_BYTES 65536u
#define NAME_SEGMENTS 12u
/* The most that a table may have, and readers take: the last segment is never used. */
#define NAME_SPACE_BYTES ((uint64_t)NAME_SEGMENT_BYTES << (NAME_SEGMENTS - 2))
/* From this address on there is no memory: ranges are announcements (names/announced.h). */
#define NAME_ANNOUNCED (1ull << 63)

/* At the start of the anchor page. */
struct name_header {
	char magic[8]; /* written last */
	uint32_t version;
	uint32_t header_bytes;
	uint32_t block_bytes;
	uint32_t segment_bytes; /* of the first */
	uint32_t journal_changes;
	int32_t subject_pid; /* 0: about the process that has it */
	uint64_t subject_start_ticks;
	uint64_t journal; /* where it is in the space */
	uint64_t generation;
	uint64_t root; /* NAME_ROOT(): the directory and how many slots it has */
	uint64_t
		reused; /* memory was written anew that was part of this generation or an earlier one */
	uint64_t used_bytes;              /* of the space */
	uint64_t segments[NAME_SEGMENTS]; /* addresses */
	/* From here on only where header_bytes says that it is there. */
	uint32_t subject_how; /* NAME_HOW_…: what a table about another process says */
	uint32_t unused;
};

/* Headers were that long before they said what kind of names they have about others. */
#define NAME_HEADER_BYTES_MIN 176u

#define NAME_HOW_GIVEN 0u /* its supervisor answered it that it has these names */
#define NAME_HOW_TRIED 1u /* it was seen trying to set these names, and was refused */

#define NAME_ROOT(block, slots) ((uint64_t)(block) << 32 | (slots))

/* Slots are in order; the first begins at 0, and each goes up to the next. */
struct name_slot {
	uint64_t first;
	uint64_t leaf; /* its block */
};

/*
 * A range. what: the name's place in the space by 8 (0: no name) in 24 bits, then the length: in bytes in 39
 * bits, or with the top bit set in units of 4096 bytes.
 */
struct name_entry {
	uint64_t start;
	uint64_t what;
};

#define NAME_LEAF_ENTRIES 63u

struct name_leaf {
	uint32_t count;
	uint32_t dead; /* the writer's own, as what follows */
	uint32_t writers_own[2];
	struct name_entry entries[NAME_LEAF_ENTRIES]; /* in order, none over another */
};

struct name_string {
	uint32_t writers_own;
	uint8_t length;
	uint8_t unused[3];
	char text[]; /* length bytes and a NUL */
};

/* One store of 64 bits is what makes a change; this is how to take it back. */
struct name_change {
	uint64_t generation; /* which the change makes; 0: none, or being written */
	uint64_t where;      /* in the space, or NAME_WHERE_ROOT */
	uint64_t before;
};

#define NAME_WHERE_ROOT UINT64_MAX
#define NAME_TEXT_MAX 79u

#define NAME_LENGTH_PAGES (1ull << 39)

static inline uint32_t name_entry_name(const struct name_entry *entry)
{
	return (uint32_t)(entry->what & 0xffffff);
}

static inline uint64_t name_entry_bytes(const struct name_entry *entry)
{
	uint64_t length = entry->what >> 24;

	return length & NAME_LENGTH_PAGES ? (length & ~NAME_LENGTH_PAGES) << 12 : length;
}

static inline uint64_t name_entry_end(const struct name_entry *entry)
{
	return entry->start + name_entry_bytes(entry);
}

/* The rule of PR_SET_VMA_ANON_NAME. */
static inline bool name_is_valid(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		switch (text[i]) {
		case '\\':
		case '`':
		case '$':
		case '[':
		case ']':
			return false;
		default:
			if (text[i] < 0x20 || text[i] > 0x7e)
				return false;
		}
	}
	return true;
}

_Static_assert(sizeof(struct name_leaf) == NAME_BLOCK_BYTES, "a leaf is a block");
_Static_assert(sizeof(struct name_header) == 184, "as documented");

#endif
