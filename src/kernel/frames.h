/* SPDX-License-Identifier: MIT */
/*
 * All frames of the machine, each counted in its class.
 */
#ifndef MEMOIR_KERNEL_FRAMES_H
#define MEMOIR_KERNEL_FRAMES_H

#include "kernel/frame_class.h"
#include "kernel/root.h"

struct frame_counts {
	uint64_t pages[FRAME_CLASSES];
};

/*
 * Read /proc/kpageflags once, and of /proc/kpagecount what large folios need, on this many threads.
 * 40 to 110 ns a frame on one. 0; -EACCES or -EPERM: for root only; -ENOENT; -ENOMEM.
 */
int frames_count(const struct kroot *root, unsigned int threads, struct frame_counts *ret_counts);

#endif
