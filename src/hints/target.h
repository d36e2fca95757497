/* SPDX-License-Identifier: MIT */
/*
 * The inside of applying: a process that gets hints, and how its mappings are known to be the ones meant.
 */
#ifndef MEMOIR_HINTS_TARGET_H
#define MEMOIR_HINTS_TARGET_H

#include <memoir/hint.h>

#include "kernel/cookie.h"
#include "kernel/hint.h"
#include "kernel/root.h"
#include "kernel/procmap.h"
#include "snapshot/capture.h"

struct target {
	const struct kroot *root;
	pid_t pid;
	uint64_t start_ticks, stack_start;
	int pidfd;
	int maps_fd;    /* opened at the beginning: keeps the address space's cookie in place */
	int pagemap_fd; /* of the same address space; or negative errno */
	struct cookies *cookies; /* NULL: there is no cookie */
	uint64_t task;
	struct cookie first; /* as it was at the beginning: which address space this is */
	bool queries;        /* PROCMAP_QUERY works; else maps is read as text */
	struct kbuf text;
	struct procmap_vma *vmas; /* of that text */
	size_t vma_count, vma_room;
	bool looked; /* the text was read when the cookie was `looked_at`, or later */
	struct cookie looked_at;
};

/*
 * Open the process of a plan, if it still is the one. `cookies` may be NULL. 0; -ESRCH: it has ended, or is
 * another program; -EACCES, -EPERM; -ENOMEM. On failure nothing has to be closed.
 */
int target_open(struct target *target, const struct kroot *root, struct cookies *cookies,
		const struct memoir_plan_process *process);
void target_close(struct target *target);

/* Read the cookie. False: there is none, or it is that of another program now (*ret_ended). */
bool target_cookie(const struct target *target, struct cookie *ret_cookie, bool *ret_ended);

/*
 * Look at all mappings anew, where they are not asked for one by one. `cookie` as just read, or NULL: as long as
 * it stays the same nothing has to be looked at again. 0, -ESRCH …
 */
int target_look(struct target *target, const struct cookie *cookie);

/*
 * Of the piece [start, end) of a planned range: how far from start on it is mapped as planned, within one
 * mapping. 0: not at all, and then *ret_next is where to go on. Negative errno: -ESRCH: it has ended.
 */
int64_t target_matches(struct target *target, const struct memoir_plan_range *range, uint64_t start,
		       uint64_t end, uint64_t *ret_next);

#endif
