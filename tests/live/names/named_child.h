/* SPDX-License-Identifier: MIT */
/*
 * A child with a name table by libmemoir-name, which does what it is told one step at a time.
 */
#ifndef MEMOIR_TESTS_NAMED_CHILD_H
#define MEMOIR_TESTS_NAMED_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "names/format.h"

#define CHILD_NAMES 50u
#define CHILD_MANY 2000u

enum child_step {
	CHILD_NAME = 'n',   /* parts of its memory: CHILD_NAMES of them */
	CHILD_RENAME = 'r', /* one of them, each time another name */
	CHILD_MANY_NAMES = 'm',
	CHILD_HIDE =
		'x', /* the anchor: its page is in no page table that the hardware would go by */
	CHILD_SHOW = 'y',
	CHILD_FORK = 'f', /* a child of its own, which only waits */
};

struct named_child {
	pid_t pid;
	int tell_fd, told_fd;
	int memory_fd; /* of it, to be read and written */
	uint64_t anchor;
};

/* Names nothing yet. */
void child_start(struct named_child *child);
void child_do(struct named_child *child, enum child_step step);
void child_end(struct named_child *child);

/* What it has in its memory. */
void child_read(const struct named_child *child, uint64_t addr, void *bytes, size_t count);
void child_write(const struct named_child *child, uint64_t addr, const void *bytes, size_t count);
struct name_header child_header(const struct named_child *child);

#endif
