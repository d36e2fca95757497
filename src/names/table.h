/* SPDX-License-Identifier: MIT */
/*
 * The process's own name table: which range has which name. For the holder of the turn only.
 */
#ifndef MEMOIR_NAMES_TABLE_H
#define MEMOIR_NAMES_TABLE_H

#include <memoir/name.h>

#include "names/strings.h"

/* The process that a table is about. */
struct name_subject {
	int32_t pid;
	uint32_t how; /* NAME_HOW_… */
	uint64_t start_ticks;
};

/* Make the table if there is none yet, about a process, or with NULL this one. 0, -ENOMEM. */
int table_open(const struct name_subject *subject);

/* Give [start, end) the name, 0 for none. 0, -ENOMEM: nothing has changed. */
int table_set(uint64_t start, uint64_t end, uint32_t name);

/*
 * What was [start, end) is at `to` now, and of to_bytes: the names go along; what was added has that of the last
 * byte. stays: it is still where it was, too. 0, -ENOMEM.
 */
int table_move(uint64_t start, uint64_t end, uint64_t to, uint64_t to_bytes, bool stays);

/*
 * The first range that ends behind addr, up to `end`, cut to these; false: there is none.
 */
struct span {
	uint64_t start, end;
	uint32_t name;
};
bool table_next(uint64_t addr, uint64_t end, struct span *ret_span);

/* After a fork in the middle of anything: all but the committed generation is made anew. */
void table_recover(void);

void table_count(struct memoir_name_counts *counts);

#endif
