/* SPDX-License-Identifier: MIT */
/*
 * Which parts of a range of another process's memory the kernel would name, and what it would answer: the
 * rules of PR_SET_VMA_ANON_NAME as of Linux 6.2, in its order.
 */
#ifndef MEMOIR_NAMES_AREAS_H
#define MEMOIR_NAMES_AREAS_H

#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

struct areas {
	const struct kroot *root;
	pid_t tid;   /* a thread of it that has not exited, or of another with its memory */
	int maps_fd; /* its maps, opened since it called exec */
	struct kbuf *text;
};

/*
 * Call `each` for the parts of [start, end) that can be named, in order. By PROCMAP_QUERY (6.11) 0.5 µs a
 * mapping where all is private anonymous memory; else all of maps is read, 0.7 µs for each mapping there is.
 * 0; -ENOMEM: part of it is not mapped, what is was named; -EBADF: part of it is a file's, what lies before
 * was named; what `each` said, if that is not 0; -ESRCH: it has ended or called exec; or another errno.
 */
int areas_each(const struct areas *areas, uint64_t start, uint64_t end,
	       int (*each)(uint64_t start, uint64_t end, void *arg), void *arg);

struct area {
	uint64_t start, end;
};

/* All zero is an empty list; free(items) when done. */
struct area_list {
	struct area *items;
	size_t count, room;
};

/*
 * All private anonymous memory of the process, neighbours joined: what names are shown on. 0; -ESRCH: it has
 * no memory any more; or another errno.
 */
int areas_list(const struct areas *areas, struct area_list *ret_list);

#endif
