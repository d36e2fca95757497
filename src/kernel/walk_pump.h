/* SPDX-License-Identifier: MIT */
/*
 * Takes records out of a BPF program's arenas: while one is handed out, the kernel already fills the next. Where the
 * source knows a second walker, whoever hands out fills an arena, too, while there is nothing to be handed out.
 */
#ifndef MEMOIR_KERNEL_WALK_PUMP_H
#define MEMOIR_KERNEL_WALK_PUMP_H

#include <stdint.h>

#include "kernel/walk.h"

#define WALK_ARENA_STRIDE (WALK_ARENA_BYTES + WALK_SLACK_BYTES)
#define WALK_TASKS_STRIDE (WALK_TASKS_BYTES + WALK_TASKS_SLACK_BYTES)

enum walk_fill {
	WALK_FILL_GOES_ON,
	WALK_FILL_NOT_NOW, /* nothing for this walker, as long as the other one is on his way; of the second only */
	WALK_FILL_END,
};

/* Where records come from. */
struct walk_source {
	/*
	 * Have the kernel write to the arena that the walker's state says. 0, or a negative errno. The first walker and
	 * the second may be called at the same time; the second is asked for one process, or less.
	 */
	int (*fill)(struct walk_source *source, unsigned int walker, enum walk_fill *ret_fill);
	/* Shared with the kernel. NULL: there is no second walker. */
	struct walk_state *states[WALK_WALKERS];
	const char *bytes; /* WALK_ARENAS of them, one each stride, and that of the second walker */
	size_t stride;
	bool alone; /* so little that a thread costs more than it saves */
	bool many;  /* so much that one is started at once */
	/* NULL, or called before each() by the thread that calls that, and filling goes on meanwhile; not 0: ends it. */
	int (*begun)(void *arg);
	void *begun_arg;
};

/*
 * Call each() with every arena filled, from the calling thread: in order, but for processes that the second walker has
 * found, which come whole between two others. If there are not many, a second thread is started only when the first arena
 * is full. 0, the first error of begun() or each(), or that of fill().
 */
int walk_pump(struct walk_source *source,
	      int (*each)(const char *records, uint64_t used, void *arg), void *arg);

#endif
