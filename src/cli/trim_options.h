/* SPDX-License-Identifier: MIT */
/*
 * The options of memoir trim.
 */
#ifndef MEMOIR_CLI_TRIM_OPTIONS_H
#define MEMOIR_CLI_TRIM_OPTIONS_H

#include <memoir/hint.h>
#include <memoir/idle.h>

struct trim_options {
	enum memoir_hint hint;
	bool hint_given;
	enum memoir_guard guard;
	bool guard_given;
	bool dry_run, no_pauses, shared;
	uint64_t max_bytes, rate_bytes;
	uint64_t idle_ns, watch_ns; /* 0: not asked for */
	enum memoir_idle_means means;
};

extern const struct argp trim_argp;

#endif
