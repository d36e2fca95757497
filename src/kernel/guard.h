/* SPDX-License-Identifier: MIT */
/*
 * A process that lets go of what this one holds still, if this one is killed. It has its own session and takes
 * no signals but SIGKILL. Who kills both, at the moment that something is held, has to let go himself.
 */
#ifndef MEMOIR_KERNEL_GUARD_H
#define MEMOIR_KERNEL_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct guard;

/* What it is to do when the time has come: thaw a cgroup, or have processes run on. */
struct guard_duty {
	int freezer;       /* of cgroup2_freezer(), or -1 */
	const int *pidfds; /* to get SIGCONT */
	size_t pidfd_count;
};

/* Start it, with nothing to do yet. About 0.3 ms. 0 or negative errno. */
int guard_start(const struct guard_duty *duty, struct guard **ret_guard);

/* From now on there is something to let go, or no longer. -EPIPE: the guard has been killed. */
int guard_set(struct guard *guard, bool holding);

/* End it; what is held stays held. */
void guard_end(struct guard *guard);

#endif
