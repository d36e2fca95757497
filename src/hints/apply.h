/* SPDX-License-Identifier: MIT */
/*
 * The inside of applying: what the files that give hints share.
 */
#ifndef MEMOIR_HINTS_APPLY_H
#define MEMOIR_HINTS_APPLY_H

#include <memoir/hint.h>

#include "hints/hold.h"
#include "hints/slice.h"
#include "hints/target.h"

struct applying {
	const struct memoir_plan *plan;
	struct memoir_apply_options options;
	struct memoir_applied *applied;
	uint64_t started_ns;
	uint64_t hinted_bytes; /* of all processes, for the rate */
	uint64_t slice_bytes;  /* how much fits into a call's time, by the last ones */
	/* Of the process at hand. */
	struct target target;
	struct memoir_applied_process *out;
	struct hold *hold; /* NULL: not asked for */
	bool holding;
	uint64_t held_since_ns;
	struct slice slice;                  /* as page tables have it */
	struct iovec given[HINT_RANGES_MAX]; /* cut at the bounds of mappings */
	size_t given_count;
	uint64_t call_ns; /* what the kernel took for the last of them */
};

/* pace.c: time. */
uint64_t pace_now_ns(void);
uint64_t pace_cpu_ns(void);
/* Whether to end; remembered once it is so. */
bool pace_stopped(struct applying *a);
/* How much the next call may take, by how long the last one took, and all that was looked at for it. */
void pace_adapt(struct applying *a, uint64_t bytes, uint64_t call_ns, uint64_t look_ns);
/* Wait between two pieces of work, as the options ask. */
void pace_pause(struct applying *a, uint64_t took_ns);

/*
 * give.c: one call's worth of ranges, with the guard. Moves *at behind what was done. 0, also where some of it
 * was left out; -ESRCH: it has ended, or is another program; -EPERM …, with a sentence in out->error.
 */
int give_slice(struct applying *a, const struct memoir_plan_range *range, uint64_t *at);
/* Let the target run on, if it is held. */
void give_end_hold(struct applying *a);

#endif
