/* SPDX-License-Identifier: MIT */
/*
 * Which pages of exclusive anonymous memory are in RAM, a bit each, for processes that have a name table: so
 * that regions can be split by names without reading their pages again.
 *
 * Whether a process has one is known only when all its regions were seen: until then its pages are kept.
 */
#ifndef MEMOIR_SNAPSHOT_PRESENCE_H
#define MEMOIR_SNAPSHOT_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/u64map.h"

#define PRESENCE_PAGES 512

/* The pages that one page table maps; none is kept of a table without any. */
struct presence_table {
	uint64_t addr; /* of its first page, a multiple of 2 MiB */
	uint64_t bits[PRESENCE_PAGES / 64];
};

struct presence_process {
	uint32_t process;
	size_t first, count; /* tables, by address */
};

struct presence {
	bool wanted;
	struct presence_table *tables;
	size_t count, room;
	struct presence_process *processes; /* those kept, in the order they came */
	size_t process_count, process_room;
	struct u64map by_process;
	size_t first;     /* table of the process that is being walked */
	uint32_t process; /* which that is */
	bool keep;
	int error; /* -ENOMEM once memory ran out */
};

void presence_free(struct presence *presence);

/* From here on pages are of this process; of none (UINT32_MAX) when all were seen. */
void presence_enter(struct presence *presence, uint32_t process);
/* What is known of the process that is being walked is to be kept. */
void presence_keep(struct presence *presence);

/*
 * Entries of page tables, of one table, from addr on; `resident` of them are present, and no other is of
 * any kind but empty or the zero page.
 */
void presence_add(struct presence *presence, uint64_t addr, const uint64_t *entries, size_t n,
		  uint64_t resident);

/* Where a look at a kept process has come to. */
struct presence_cursor {
	const struct presence_table *at, *end;
};

/* Look at a process from an address on; false where it was not kept. */
bool presence_look(const struct presence *presence, uint32_t process, uint64_t addr,
		   struct presence_cursor *ret_cursor);

/* How many bytes from start to end are in RAM. Later calls for one look are for what lies behind. */
uint64_t presence_bytes(struct presence_cursor *cursor, uint64_t start, uint64_t end);

#endif
