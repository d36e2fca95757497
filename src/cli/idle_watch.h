/* SPDX-License-Identifier: MIT */
/*
 * Watching for idle memory from a command: begin, wait, read; and what of it may be hinted.
 */
#ifndef MEMOIR_CLI_IDLE_WATCH_H
#define MEMOIR_CLI_IDLE_WATCH_H

#include <memoir/hint.h>
#include <memoir/idle.h>

#include "cli/cli.h"

/* What --means takes; -1: no such means. */
int idle_means_by_name(const char *name);
#define IDLE_MEANS "auto accessed referenced written damon passive"

/*
 * Watch what cli's snapshot and selection mean for this long, or until interrupted, with a line about it on a
 * terminal. Then capture anew: regions and names are those of now. Says what went wrong. An exit code.
 */
int idle_watch(struct cli *cli, struct memoir *memoir, enum memoir_idle_means means,
	       uint64_t interval_ns, struct memoir_idle **ret_idle);

/* What was idle, for a plan. */
struct idle_spans {
	struct memoir_span *spans;
	size_t count, room;
	struct memoir_idle_figures total; /* of what the selection means */
};

/*
 * Idle pages of the regions that the selection means; where the means has no pages, regions that were idle as
 * a whole. 0 or -ENOMEM.
 */
int idle_spans_make(const struct cli *cli, const struct memoir_idle *idle,
		    struct idle_spans *ret_spans);
void idle_spans_free(struct idle_spans *spans);

#endif
