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

/* How many ranges it has. */
uint64_t several_ranges(const struct table_aside *table);

#endif
