/* SPDX-License-Identifier: MIT */
/*
 * Small name tables as they were read, kept in a context by process: what has not changed since need not be read again.
 * Bounded; what is gone is dropped. Knows no regions, and says nothing of the memory that is named.
 */
#ifndef MEMOIR_SNAPSHOT_KEPT_NAMES_H
#define MEMOIR_SNAPSHOT_KEPT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "names/reader.h"

/*
 * Whose table it is, which of its tables, and of when. In the life of an anchor a generation never comes again, so
 * that what is known to be settled (docs/NAME-TABLE.md) is the same as long as all of this is.
 */
struct kept_key {
	pid_t pid;
	uint64_t start_ticks, start_stack; /* of the process, and of the program that it runs */
	uint64_t anchor, inode;            /* where that is mapped, and which memfd it is of */
	uint64_t generation;
};

struct kept_table {
	struct kept_key key;
	struct names_table table; /* empty where it is to be read in another way */
	uint64_t space, bytes;    /* where it is, all of it */
	bool elsewhere;           /* it is */
	uint32_t list; /* that of its names: tables of one program mostly have the same */
	uint64_t seen; /* in which capture */
};

struct kept_names;

/* NULL: out of memory. */
struct kept_names *kept_names_new(void);
void kept_names_free(struct kept_names *kept);

/* A capture begins. Returns the epoch: what was told of it when it was another one is not all here. */
uint32_t kept_names_begin(struct kept_names *kept);
/* It ends, and has seen every process, or only some. */
void kept_names_end(struct kept_names *kept, bool all);

/* NULL: not here; then another epoch begins with the next capture. */
const struct kept_table *kept_names_find(struct kept_names *kept, const struct kept_key *key);

/* Keep a copy of what is there; table NULL: it is to be read elsewhere. What finds no room is not kept. */
void kept_names_keep(struct kept_names *kept, const struct kept_key *key,
		     const struct names_table *table, uint64_t space, uint64_t bytes);

#endif
