/* SPDX-License-Identifier: MIT */
/*
 * The process's own name table: which range has which name. For the holder of the turn only.
 */
#ifndef MEMOIR_NAMES_TABLE_H
#define MEMOIR_NAMES_TABLE_H

#include <memoir/name.h>

#include "names/strings.h"

/* Make the table if there is none yet, about a process (0: about this one). 0, -ENOMEM. */
int table_open(int32_t subject_pid, uint64_t subject_start_ticks);

/* Give [start, end) the name, 0 for none. 0, -ENOMEM: nothing has changed. */
int table_set(uint64_t start, uint64_t end, uint32_t name);

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
