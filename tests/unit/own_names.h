/* SPDX-License-Identifier: MIT */
/*
 * This process's own name table, read as another process would.
 */
#ifndef MEMOIR_TESTS_OWN_NAMES_H
#define MEMOIR_TESTS_OWN_NAMES_H

#include <memoir/name.h>

#include "names/reader.h"

/* Where the anchor page is; 0: there is none. */
uint64_t own_anchor(void);

/* Read it; a table that is not there is an empty one. 0 or negative errno. */
int own_names(struct names_table *ret_table);

/* The name at an address, "" for none; good until the next call. */
const char *own_name_at(const void *addr);

/* Names that this process's calls keep in a table. To be called first of all. */
void own_names_by_table(void);

#endif
