// SPDX-License-Identifier: MIT
/*
 * How large a call may be and how long to wait behind it, so that nobody has to wait long for the target's
 * mmap lock, nor for a CPU.
 */
#include <time.h>

#include "hints/apply.h"

#define NS_PER_SECOND 1000000000ull
#define STEP_NS (NS_PER_SECOND / 20) /* a wait is cut up to notice that it is to end */
/*
 * Who wakes up on the CPU of a call may have to wait for its end: where the kernel is not preemptible even for one that
 * is to run first (EEVDF lets the running one have its slice, of milliseconds). When the other CPU
 * thread becomes busy a page suddenly costs four times as much: the longest calls take a millisecond so.
 */
#define SLICE_NS 250000ull
#define SLICE_NS_FAST 20000000ull
/* Standing still costs a millisecond by itself: for more bytes at a time. */
#define SLICE_NS_HELD 5000000ull
#define CALL_NS_MAX 1000000ull
#define SLICE_LEAST (64 * 1024ull)

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t pace_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t pace_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

bool pace_stopped(struct applying *a)
{
	if (!a->applied->stopped && a->options.stop)
		a->applied->stopped = a->options.stop(a->options.stop_arg);
	return a->applied->stopped;
}

static uint64_t slice_ns(const struct applying *a)
{
	if (a->options.slice_ns)
		return a->options.slice_ns;
	if (a->options.without_pauses)
		return SLICE_NS_FAST;
	return a->options.guard == MEMOIR_GUARD_FREEZE ? SLICE_NS_HELD : SLICE_NS;
}

/*
 * Where looking takes longer than that (maps of thousands of lines, read as text before each call), a call may
 * take as long, or all the time would go into looking.
 */
static uint64_t wanted_ns(const struct applying *a, uint64_t look_ns)
{
	uint64_t slice = slice_ns(a), longer = look_ns < CALL_NS_MAX ? look_ns : CALL_NS_MAX;

	return a->options.slice_ns || slice > longer ? slice : longer;
}

/* At most twice, and at least half as much as before: one call that took long was perhaps preempted. */
void pace_adapt(struct applying *a, uint64_t bytes, uint64_t call_ns, uint64_t look_ns)
{
	double fits =
		(double)bytes * (double)wanted_ns(a, look_ns) / (double)(call_ns ? call_ns : 1);
	double most = 2.0 * (double)a->slice_bytes, least = 0.5 * (double)a->slice_bytes;

	/* A small rest of a range says little. */
	if (bytes < SLICE_LEAST)
		return;
	fits = fits > most ? most : fits < least ? least : fits;
	a->slice_bytes = (uint64_t)fits & ~(PAGE_BYTES - 1);
	if (a->slice_bytes < SLICE_LEAST)
		a->slice_bytes = SLICE_LEAST;
	if (a->slice_bytes > HINT_BYTES_MAX / 2)
		a->slice_bytes = HINT_BYTES_MAX / 2 & ~(PAGE_BYTES - 1);
}

static void wait_until(struct applying *a, uint64_t until_ns)
{
	uint64_t now = pace_now_ns(), began = now;

	while (now < until_ns && !pace_stopped(a)) {
		uint64_t step = until_ns - now < STEP_NS ? until_ns - now : STEP_NS;
		struct timespec wait = { (time_t)(step / NS_PER_SECOND),
					 (long)(step % NS_PER_SECOND) };

		(void)nanosleep(&wait, NULL);
		now = pace_now_ns();
	}
	a->applied->paused_ns += now - began;
}

void pace_pause(struct applying *a, uint64_t took_ns)
{
	uint64_t now = pace_now_ns(), until = now;

	if (!a->options.without_pauses)
		until += took_ns;
	if (a->options.rate_bytes) {
		double due = (double)a->hinted_bytes / (double)a->options.rate_bytes *
			     (double)NS_PER_SECOND;

		if (a->started_ns + (uint64_t)due > until)
			until = a->started_ns + (uint64_t)due;
	}
	if (until > now)
		wait_until(a, until);
}
