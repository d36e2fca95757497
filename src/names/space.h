/* SPDX-License-Identifier: MIT */
/*
 * The memory of the process's own name table: the anchor, segments, blocks, and the one way to change
 * what is committed. Everything here is for the holder of the turn (names/turn.h).
 */
#ifndef MEMOIR_NAMES_SPACE_H
#define MEMOIR_NAMES_SPACE_H

#include <stdbool.h>

#include "names/format.h"

/* The journal is what the space begins with. */
#define SPACE_JOURNAL_CHANGES 256u
/* For the writer alone, mapped with the first segment. */
#define SPACE_BESIDE_BYTES 4096u

struct space {
	struct name_header *header;    /* NULL: there is no table yet */
	uintptr_t base[NAME_SEGMENTS]; /* address of the segment less where it is in the space */
	uint32_t blocks;               /* handed out so far or freed again */
	uint32_t room;                 /* blocks in the segments that there are */
	uint32_t free_first, free_last, free_count;
	uint32_t segments_max; /* 0: as many as the format has */
};

extern struct space space;

static inline uint64_t space_segment_bytes(unsigned int k)
{
	return k ? (uint64_t)NAME_SEGMENT_BYTES << (k - 1) : NAME_SEGMENT_BYTES;
}

static inline void *space_at(uint64_t where)
{
	unsigned int k = 63u - (unsigned int)__builtin_clzll(where >> 15 | 1);

	return (void *)(space.base[k] + where);
}

static inline void *space_block(uint32_t block)
{
	return space_at((uint64_t)block * NAME_BLOCK_BYTES);
}

/* Make an empty space whose blocks 0 to 5 are the journal; the magic is still to be written. 0, -ENOMEM. */
int space_open(void);
/* Give all of its memory back; nobody may read or write it any more. */
void space_close(void);

/* SPACE_BESIDE_BYTES bytes, zeroed at first, and after a fork as they were. */
void *space_beside(void);

/* A block with undefined contents, or `count` (a power of two) in a row; 0: no memory. */
uint32_t space_alloc(void);
uint32_t space_alloc_run(uint32_t count);

/* Give back a leaf that is part of no generation from this one on. */
void space_retire(uint32_t leaf);
/* The same for a block that a reader can't be in, or whose readers are to begin anew. */
void space_release(uint32_t block);

/* Memory of this generation is going to be written anew: who reads it is to begin again. */
void space_reuse(uint64_t generation);

/*
 * Change what is committed, by one store: of the word at `where`, or of the root. Plain stores, in this order: what
 * a fork or a reader sees at any time is the state before or after.
 */
static inline void space_commit(uint64_t where, uint64_t *word, uint64_t value)
{
	struct name_header *header = space.header;
	uint64_t generation = header->generation + 1;
	struct name_change *change =
		(struct name_change *)space.base[0] + generation % SPACE_JOURNAL_CHANGES;

	__atomic_store_n(&change->generation, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&change->where, where, __ATOMIC_RELEASE);
	__atomic_store_n(&change->before, *word, __ATOMIC_RELEASE);
	__atomic_store_n(&change->generation, generation, __ATOMIC_RELEASE);
	__atomic_store_n(&header->generation, generation, __ATOMIC_RELEASE);
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* After a fork in the middle of anything: what is handed out is known by the header, and nothing is free; */
void space_recover(void);
/* then, what is not used by this map (a byte a block) is. */
void space_keep(const uint8_t *used);

#endif
