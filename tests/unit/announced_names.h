/* SPDX-License-Identifier: MIT */
/*
 * What this process has announced, as its own name table says it.
 */
#ifndef MEMOIR_TESTS_ANNOUNCED_NAMES_H
#define MEMOIR_TESTS_ANNOUNCED_NAMES_H

#include <stdint.h>
#include <sys/types.h>

#include <memoir/track.h>

#include "names/announced.h"
#include "own_names.h"

/* The range that begins there, or NULL. */
const struct named_range *announced_find(const struct names_table *table, uint64_t start);
uint64_t announced_length(const struct names_table *table, uint64_t start);

/* How long a range begins there, and what it is called; 0: none does. */
uint64_t announced_at(uint64_t start, char name[MEMOIR_NAME_MAX]);

uint64_t announced_size(uint32_t buffer);
uint64_t announced_references(uint32_t buffer, pid_t pid);

/* How many ranges of a sort there are. -1: the table is not good. */
long announced_count(enum announced_sort sort);

/* A buffer that was not there. */
uint32_t announce_buffer(uint64_t size_bytes, const char *tag);

/* The tag that a file has been given: how long a range, and its name. */
uint64_t announced_file_tag(int fd, char name[MEMOIR_NAME_MAX]);

/* What waitpid(2) says of a child's end. */
int announced_wait_for(pid_t pid);

#endif
