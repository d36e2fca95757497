/* SPDX-License-Identifier: MIT */
/*
 * Reads a BPF iterator to its end: while one arena is handed out, the kernel already fills the other.
 */
#ifndef MEMOIR_KERNEL_WALK_PUMP_H
#define MEMOIR_KERNEL_WALK_PUMP_H

#include <stdint.h>

#include "kernel/walk.h"

#define WALK_ARENA_STRIDE (WALK_ARENA_BYTES + WALK_SLACK_BYTES)
#define WALK_TASKS_STRIDE (WALK_TASKS_BYTES + sizeof(struct walk_task))

/* What a program writes to. */
struct walk_arenas {
	struct walk_state *state; /* shared with the kernel; only the filling thread touches it */
	const char *bytes;        /* WALK_ARENAS of them, one each stride */
	size_t stride;
};

/*
 * Call each() with every arena filled, in order and from the calling thread. A second thread is started
 * only when the first arena is full. 0, the first error of each(), or a negative errno of read(2).
 */
int walk_pump(int iter, const struct walk_arenas *arenas,
	      int (*each)(const char *records, uint64_t used, void *arg), void *arg);

#endif
