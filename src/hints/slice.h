/* SPDX-License-Identifier: MIT */
/*
 * The next pages of a planned range that a hint is to be given for, as ranges for one call.
 */
#ifndef MEMOIR_HINTS_SLICE_H
#define MEMOIR_HINTS_SLICE_H

#include "hints/target.h"

/*
 * As much is looked at at a time: a walk of page tables holds the target's mmap lock, and a CPU; where all of this is
 * in 4 KiB pages for 0.2 ms.
 */
#define SLICE_LOOK_BYTES (64ull << 20)

struct slice {
	struct iovec ranges[HINT_RANGES_MAX];
	size_t count;
	uint64_t bytes;
};

/*
 * Fill a slice from *at on, to at most `bytes` of pages in the state that the hint is for, and move *at behind
 * what was looked at. Huge pages are not cut: that would split them. Empty: there was nothing so far; it may go
 * on at *at.
 * 0, or negative errno (-ESRCH: the process has ended, or is another program).
 */
int slice_fill(struct slice *slice, const struct target *target, enum memoir_hint hint,
	       const struct memoir_plan_range *range, uint64_t *at, uint64_t bytes);

#endif
