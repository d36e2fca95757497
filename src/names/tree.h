/* SPDX-License-Identifier: MIT */
/*
 * The inside of the name table: the directory of leaves, and how ranges are put between others. The
 * invariant: entries lie within their leaf's slot, in order, none over another.
 */
#ifndef MEMOIR_NAMES_TREE_H
#define MEMOIR_NAMES_TREE_H

#include "names/table.h"

struct tree {
	struct name_slot *slots; /* the committed directory */
	uint32_t count;          /* slots that are used, at least one */
	uint32_t block;          /* where it is */
	uint64_t ranges;         /* entries that have a name */
};

extern struct tree tree;

/* Directories that take turns: as with leaves, an old one is left alone for a while. */
#define TURNS_MAX 32u
#define TURNS_LARGE 3u

struct directories {
	uint32_t blocks; /* of each directory, a power of two; 0: none yet */
	uint32_t block[TURNS_MAX];
	uint64_t retired[TURNS_MAX];
	uint32_t turn; /* the committed one */
};

extern struct directories directories;

static inline struct name_leaf *tree_leaf(uint32_t slot)
{
	return space_block((uint32_t)tree.slots[slot].leaf);
}

/* Entries that came in, and went. */
void tree_gain(const struct name_entry *entry);
void tree_lose(const struct name_entry *entry);

/* Make the leaves from one slot to another anew with the range in them, which lies in their slots. */
int tree_rebuild(uint32_t from, uint32_t to, const struct span *range);
/* The same from the slot in which the range begins to where it ends, and where it touches its like. */
int tree_rebuild_over(uint32_t slot, const struct span *range);

/* Ranges put one behind the other, with one that takes the place of what was there. */
struct splice {
	struct span range;
	struct span *out;
	uint32_t room, count;
	bool given;
};

void splice_add(struct splice *splice, const struct name_entry *entry);
void splice_end(struct splice *splice);

/* As entries, at most two for each; returns how many. */
uint32_t spans_encode(const struct span *spans, uint32_t count, struct name_entry *entries);

#endif
