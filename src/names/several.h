/* SPDX-License-Identifier: MIT */
/*
 * Several name tables written by one process, which are about others: what the writer keeps of a table
 * beside its memory is put aside while it writes another. For one thread; libmemoir-name does not use it.
 */
#ifndef MEMOIR_NAMES_SEVERAL_H
#define MEMOIR_NAMES_SEVERAL_H

#include "names/tree.h"

/* All zero is a table that is still to be opened. */
struct table_aside {
	struct space space;
	struct tree tree;
	struct directories directories;
	struct strings strings;
};

/*
 * From now on the calls of table.h and strings.h are about this table: some 700 bytes are copied. It has to
 * stay where it is until another is taken, or it is dropped.
 */
void several_take(struct table_aside *table);

/* Give back all memory of a table: nothing of it is to be found any longer. It may be opened anew. */
void several_drop(struct table_aside *table);

/* How many ranges it has, and what memory it takes. */
uint64_t several_ranges(const struct table_aside *table);
uint64_t several_bytes(const struct table_aside *table);

/* Give [start, end) the name, NULL for none; opens the table if need be. 0; -ENOMEM. */
int several_set(struct table_aside *table, const struct name_subject *about, uint64_t start,
		uint64_t end, const char *name);

/* mremap: what was [start, end) is at `to` now, and of to_bytes. 0; -ENOMEM. */
int several_move(struct table_aside *table, uint64_t start, uint64_t end, uint64_t to,
		 uint64_t to_bytes);

/* Some ranges from *at on, with their names; *at moves on. How many, 0: that was all. */
struct taken_range {
	uint64_t start, end;
	char name[NAME_TEXT_MAX + 1];
};
size_t several_some(struct table_aside *table, uint64_t *at, struct taken_range *ranges,
		    size_t room);

/* All that one table has, into another, which may have some. 0; -ENOMEM. */
int several_copy(struct table_aside *to, const struct name_subject *about,
		 struct table_aside *from);

#endif
