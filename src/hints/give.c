// SPDX-License-Identifier: MIT
/*
 * Gives one call's worth of hints under a guard: before it the mappings are compared with the plan, after it
 * is found out whether they changed meanwhile. What a call left undone is carried on exactly.
 */
#include <errno.h>

#include "hints/apply.h"
#include "hints/refusal.h"

static const enum hint_advice advices[MEMOIR_HINTS] = {
	[MEMOIR_HINT_COLD] = HINT_ADVICE_COLD,
	[MEMOIR_HINT_PAGEOUT] = HINT_ADVICE_PAGEOUT,
	[MEMOIR_HINT_WILLNEED] = HINT_ADVICE_WILLNEED,
	[MEMOIR_HINT_COLLAPSE] = HINT_ADVICE_COLLAPSE,
};

static uint64_t start_of(const struct iovec *range)
{
	return (uint64_t)(uintptr_t)range->iov_base;
}

static uint64_t end_of(const struct iovec *range)
{
	return start_of(range) + range->iov_len;
}

/* ---- what is given --------------------------------------------------------------------------- */

/* Cut one range at the bounds of mappings, without what is not as planned. 1: there is no more room. */
static int check_range(struct applying *a, const struct memoir_plan_range *range,
		       const struct iovec *piece, uint64_t *at)
{
	uint64_t addr = start_of(piece), end = end_of(piece), next;

	while (addr < end) {
		if (a->given_count == HINT_RANGES_MAX) {
			*at = addr;
			return 1;
		}
		int64_t fits = target_matches(&a->target, range, addr, end, &next);

		if (fits < 0)
			return (int)fits;
		if (fits > 0) {
			next = addr + (uint64_t)fits;
			a->given[a->given_count++] = hint_range(addr, next);
		} else {
			next = next < end ? next : end;
			a->out->skipped_bytes[MEMOIR_SKIP_CHANGED] += next - addr;
		}
		addr = next;
	}
	return 0;
}

static int check_slice(struct applying *a, const struct memoir_plan_range *range,
		       const struct cookie *cookie, uint64_t *at)
{
	int ret = target_look(&a->target, cookie);

	a->given_count = 0;
	for (size_t i = 0; i < a->slice.count && ret == 0; i++)
		ret = check_range(a, range, &a->slice.ranges[i], at);
	return ret < 0 ? ret : 0;
}

static void take_slice(struct applying *a)
{
	for (size_t i = 0; i < a->slice.count; i++)
		a->given[i] = a->slice.ranges[i];
	a->given_count = a->slice.count;
}

/* Whether some of what was given is no longer as planned. */
static bool given_changed(struct applying *a, const struct memoir_plan_range *range)
{
	uint64_t next;

	if (target_look(&a->target, NULL) < 0)
		return true;
	for (size_t i = 0; i < a->given_count; i++) {
		uint64_t start = start_of(&a->given[i]), end = end_of(&a->given[i]);

		if (target_matches(&a->target, range, start, end, &next) != (int64_t)(end - start))
			return true;
	}
	return false;
}

/* ---- the call -------------------------------------------------------------------------------- */

/* Pass over what a call did; a range that was done in part is left with the rest. */
static size_t pass_done(struct iovec *ranges, size_t first, size_t count, uint64_t done)
{
	while (first < count && done >= ranges[first].iov_len)
		done -= ranges[first++].iov_len;
	if (first < count && done)
		ranges[first] = hint_range(start_of(&ranges[first]) + done, end_of(&ranges[first]));
	return first;
}

/* What failed is known to be the first of what was left. Whether to go on with the next. */
static int take_failure(struct applying *a, const struct iovec *range, int err)
{
	bool collapse = a->plan->hint == MEMOIR_HINT_COLLAPSE;
	enum memoir_skip why;

	switch (err) {
	case -ENOMEM: /* a hole: the rest of the range was done all the same */
		why = collapse ? MEMOIR_SKIP_BUSY : MEMOIR_SKIP_CHANGED;
		break;
	case -EAGAIN:
	case -EBUSY:
	case -EIO: /* read error of swap or of the file */
		why = MEMOIR_SKIP_BUSY;
		break;
	case -EINVAL:
	case -EBADF: /* willneed of memory that has no file */
		why = MEMOIR_SKIP_REFUSED;
		break;
	case -ESRCH:
		return err;
	default:
		return refusal_of_hint(&a->out->error, a->target.pid, a->plan->hint,
				       start_of(range), end_of(range), err);
	}
	a->out->skipped_bytes[why] += range->iov_len;
	return 0;
}

static int give_all(struct applying *a, struct memoir_hint_call *call)
{
	enum hint_advice advice = advices[a->plan->hint];
	size_t first = 0;
	int err = 0;

	while (first < a->given_count && !err) {
		ssize_t done = hint_give(a->target.pidfd, &a->given[first], a->given_count - first,
					 advice);

		if (done > 0) {
			call->bytes += (uint64_t)done;
			first = pass_done(a->given, first, a->given_count, (uint64_t)done);
		} else if (done == -EINTR && !pace_stopped(a)) {
			continue;
		} else if (done == 0 || done == -EINTR) {
			break; /* it does nothing, or is to end */
		} else {
			err = take_failure(a, &a->given[first++], (int)done);
		}
	}
	return err;
}

/* ---- the guard ------------------------------------------------------------------------------- */

static int begin_hold(struct applying *a)
{
	int err;

	if (!a->hold || a->holding)
		return 0;
	err = hold_begin(a->hold, &a->out->error);
	if (err)
		return err;
	a->out->hold = hold_way(a->hold);
	a->holding = true;
	a->held_since_ns = pace_now_ns();
	return 0;
}

void give_end_hold(struct applying *a)
{
	if (!a->holding)
		return;
	hold_end(a->hold);
	a->holding = false;
	uint64_t held = pace_now_ns() - a->held_since_ns;

	a->out->held_ns += held;
	if (held > a->out->held_most_ns)
		a->out->held_most_ns = held;
}

static int give_guarded(struct applying *a, const struct memoir_plan_range *range, uint64_t *at,
			struct memoir_hint_call *call)
{
	struct cookie before, after;
	bool ended = false, known;
	int err = 0;

	/* Collapsing moves the cookie itself. */
	known = a->options.guard != MEMOIR_GUARD_RACE && a->plan->hint != MEMOIR_HINT_COLLAPSE &&
		target_cookie(&a->target, &before, &ended);
	if (ended)
		return -ESRCH;
	if (a->options.guard == MEMOIR_GUARD_RACE)
		take_slice(a);
	else
		err = check_slice(a, range, known ? &before : NULL, at);
	if (err || !a->given_count)
		return err;
	call->ranges = (uint32_t)a->given_count;
	call->start = start_of(&a->given[0]);
	call->end = end_of(&a->given[a->given_count - 1]);
	uint64_t began = pace_now_ns();

	err = give_all(a, call);
	a->call_ns = pace_now_ns() - began;
	if (known)
		call->raced =
			!target_cookie(&a->target, &after, &ended) || !cookie_same(&before, &after);
	else if (a->options.guard != MEMOIR_GUARD_RACE)
		call->raced = given_changed(a, range);
	return err ? err : ended ? -ESRCH : 0;
}

static void take_call(struct applying *a, const struct memoir_hint_call *call)
{
	struct memoir_applied_process *out = a->out;

	out->calls++;
	out->hinted_bytes += call->bytes;
	out->hinted_ranges += call->ranges;
	a->hinted_bytes += call->bytes;
	if (call->raced) {
		out->raced_calls++;
		out->raced_ranges += call->ranges;
	}
	if (a->options.called)
		a->options.called(call, a->options.called_arg);
}

int give_slice(struct applying *a, const struct memoir_plan_range *range, uint64_t *at)
{
	struct memoir_hint_call call = { .pid = a->target.pid };
	uint64_t bytes = a->options.slice_bytes ? a->options.slice_bytes : a->slice_bytes;
	uint64_t began = pace_now_ns();
	int err = slice_fill(&a->slice, &a->target, a->plan->hint, range, at, bytes);
	uint64_t look_ns = pace_now_ns() - began;

	if (!err && a->slice.count)
		err = begin_hold(a);
	if (err)
		return err;
	if (a->slice.count) {
		began = pace_now_ns();
		a->call_ns = 0;
		err = give_guarded(a, range, at, &call);
		look_ns += pace_now_ns() - began - a->call_ns;
	}
	if (!a->options.without_pauses)
		give_end_hold(a);
	/* A call that was refused was none. */
	if (call.ranges && (!err || call.bytes)) {
		take_call(a, &call);
		pace_adapt(a, call.bytes, a->call_ns, look_ns);
	}
	if (!err)
		pace_pause(a, look_ns + a->call_ns);
	return err;
}
