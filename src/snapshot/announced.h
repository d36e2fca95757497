/* SPDX-License-Identifier: MIT */
/*
 * What processes announce in their own name tables (memoir/track.h): buffers without an fd, who holds them, and
 * what files of memory are called.
 */
#ifndef MEMOIR_SNAPSHOT_ANNOUNCED_H
#define MEMOIR_SNAPSHOT_ANNOUNCED_H

#include <stddef.h>
#include <stdint.h>

#include "base/u64map.h"

struct capture;
struct names_table;

/* A process's word for a file. */
struct announced_tag {
	uint64_t file; /* announced_tag() of it */
	uint32_t process;
	const char *tag; /* of the snapshot */
};

struct announced {
	struct u64map process_by_pid; /* filled when the first one speaks of another */
	size_t buffers, holders;
	size_t left_out; /* of both, as there are too many */
	struct announced_tag *tags;
	size_t tag_count, tag_room;
};

/* Take in what a table that a process has about itself says. 0, -ENOMEM; what is not believed is no error. */
int announced_take(struct capture *c, uint32_t process, const struct names_table *table);
/* Say what was left out. */
int announced_note(struct capture *c);

/* Tags as they are to be looked for: by process and file. */
void announced_sort_tags(struct announced *announced);
/* What the process calls the file, NULL: nothing. */
const char *announced_find_tag(const struct announced *announced, uint32_t process, uint64_t file);

void announced_free(struct announced *announced);

#endif
