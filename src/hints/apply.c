// SPDX-License-Identifier: MIT
/*
 * Applies a plan: process by process, range by range, slice by slice; and what is left once more.
 */
#include "hints/apply.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/options.h"
#include "hints/refusal.h"

#define FIRST_SLICE_BYTES (128 * 1024ull)

/* ---- one process ----------------------------------------------------------------------------- */

/* Whether all of a range is mapped as planned, now. */
static int matches_all(struct applying *a, const struct memoir_plan_range *range)
{
	uint64_t at = range->start, next;

	while (at < range->end) {
		int64_t fits = target_matches(&a->target, range, at, range->end, &next);

		if (fits <= 0)
			return (int)fits;
		at += (uint64_t)fits;
	}
	return 1;
}

static int apply_range(struct applying *a, const struct memoir_plan_range *range)
{
	uint64_t at = range->start;
	int err = 0;

	/* Without a guard this is the only look. */
	if (a->options.guard == MEMOIR_GUARD_RACE) {
		int fits = matches_all(a, range);

		if (fits == 0)
			a->out->skipped_bytes[MEMOIR_SKIP_CHANGED] += range->planned_bytes;
		if (fits <= 0)
			return fits;
	}
	while (at < range->end && !err && !pace_stopped(a))
		err = give_slice(a, range, &at);
	return err;
}

/* Whether some of a range is still there that should have moved. */
static bool is_left(struct applying *a, const struct memoir_plan_range *range)
{
	uint64_t at = range->start, left = 0;

	if (a->target.pagemap_fd < 0)
		return false; /* it can't be seen */
	while (at < range->end && !pace_stopped(a)) {
		uint64_t began = pace_now_ns();

		if (slice_fill(&a->slice, &a->target, a->plan->hint, range, &at, HINT_BYTES_MAX) <
		    0)
			break;
		left += a->slice.bytes;
		pace_pause(a, pace_now_ns() - began);
	}
	return left + range->planned_bytes > range->resident_bytes;
}

/*
 * Pages that another CPU has just faulted in are passed over, as long as they wait in its batch: batches
 * are emptied, then what is left is given once more.
 */
static int apply_again(struct applying *a, uint32_t first, uint32_t count)
{
	bool drained = false;
	int err = 0;

	for (uint32_t i = first; i < first + count && !err && !pace_stopped(a); i++) {
		if (!is_left(a, &a->plan->ranges[i]))
			continue;
		if (!drained)
			hint_drain_batches();
		drained = true;
		err = apply_range(a, &a->plan->ranges[i]);
	}
	return err;
}

static int apply_ranges(struct applying *a, const struct memoir_plan_process *process)
{
	uint32_t end = process->first_range + process->range_count;
	int err = 0;

	for (uint32_t i = process->first_range; i < end && !err && !pace_stopped(a); i++)
		err = apply_range(a, &a->plan->ranges[i]);
	if (!err && a->plan->hint == MEMOIR_HINT_PAGEOUT)
		err = apply_again(a, process->first_range, process->range_count);
	return err;
}

static int apply_open(struct applying *a, struct memoir *memoir, size_t index)
{
	const struct memoir_plan_process *process = &a->plan->processes[index];
	struct cookies *cookies =
		a->options.guard == MEMOIR_GUARD_RACE ? NULL : memoir_cookies(memoir);
	int err = target_open(&a->target, memoir->root, cookies, process);

	if (err == -ESRCH)
		return err;
	if (err)
		return refusal_of_open(&a->out->error, process->pid, err);
	a->out->cookie = a->target.cookies;
	if (a->options.guard == MEMOIR_GUARD_FREEZE)
		err = hold_new(&a->hold, &a->target, a->plan, &a->out->error);
	if (err)
		target_close(&a->target);
	return err;
}

static void apply_process(struct applying *a, struct memoir *memoir, size_t index)
{
	const struct memoir_plan_process *process = &a->plan->processes[index];
	struct memoir_applied_process *out = &a->applied->processes[index];
	int err;

	a->out = out;
	if (!process->range_count)
		return;
	err = apply_open(a, memoir, index);
	if (!err) {
		err = apply_ranges(a, process);
		give_end_hold(a);
		out->guard_ended = a->hold && hold_guard_ended(a->hold);
		hold_free(a->hold);
		a->hold = NULL;
		target_close(&a->target);
	}
	out->ended = err == -ESRCH;
	if (err && err != -ESRCH && !out->error.code)
		refusal_of_open(&out->error, process->pid, err);
	a->applied->failed |= out->error.code != 0;
	if ((err || a->applied->stopped) && process->planned_bytes > out->hinted_bytes)
		out->skipped_bytes[MEMOIR_SKIP_STOPPED] =
			process->planned_bytes - out->hinted_bytes;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int check(struct memoir *memoir, const struct memoir_apply_options *options,
		 struct memoir_error *error)
{
	if (!memoir_guard_name(options->guard))
		return error_set(error, -EINVAL, "there is no guard %d", (int)options->guard);
	if (!kroot_is_live(memoir->root))
		return error_set(
			error, -EOPNOTSUPP,
			"hints can be given on the running machine only, not to a captured "
			"tree");
	return 0;
}

static int make_applied(const struct memoir_plan *plan, struct memoir_applied **ret_applied)
{
	struct memoir_applied *applied = calloc(1, sizeof(*applied));

	if (applied)
		applied->processes = calloc(plan->process_count + 1, sizeof(*applied->processes));
	if (!applied || !applied->processes) {
		free(applied);
		return -ENOMEM;
	}
	applied->process_count = plan->process_count;
	*ret_applied = applied;
	return 0;
}

int memoir_apply(struct memoir *memoir, const struct memoir_plan *plan,
		 const struct memoir_apply_options *options, struct memoir_applied **ret_applied,
		 struct memoir_error *error)
{
	struct applying *a = calloc(1, sizeof(*a));
	int err = a ? 0 : -ENOMEM;

	if (a && options)
		err = options_copy(&a->options, sizeof(a->options), options, options->sz,
				   "struct memoir_apply_options", error);
	if (!err)
		err = check(memoir, &a->options, error);
	if (!err)
		err = make_applied(plan, &a->applied);
	if (err) {
		free(a);
		return err == -ENOMEM ? error_set(error, err, "out of memory") : err;
	}
	a->plan = plan;
	a->slice_bytes = FIRST_SLICE_BYTES;
	if (a->options.slice_bytes > HINT_BYTES_MAX / 2)
		a->options.slice_bytes = HINT_BYTES_MAX / 2;
	a->options.slice_bytes = (a->options.slice_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	a->started_ns = pace_now_ns();
	uint64_t cpu_ns = pace_cpu_ns();

	for (size_t i = 0; i < plan->process_count && !pace_stopped(a); i++)
		apply_process(a, memoir, i);
	a->applied->wall_ns = pace_now_ns() - a->started_ns;
	a->applied->cpu_ns = pace_cpu_ns() - cpu_ns;
	*ret_applied = a->applied;
	free(a);
	return 0;
}

void memoir_applied_free(struct memoir_applied *applied)
{
	if (!applied)
		return;
	free(applied->processes);
	free(applied);
}
