/* SPDX-License-Identifier: MIT */
/*
 * The inside of struct memoir_idle.
 */
#ifndef MEMOIR_HINTS_IDLE_H
#define MEMOIR_HINTS_IDLE_H

#include <memoir/idle.h>

#include "hints/watch.h"
#include "kernel/damon.h"

struct memoir_idle {
	struct watch watch;
	enum memoir_idle_means means;
	uint64_t interval_ns, stall_ns, asked_ns;
	bool read;
	size_t vanished;
	struct damon damon; /* count 0: not in use */
};

#endif
