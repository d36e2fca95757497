// SPDX-License-Identifier: MIT
/*
 * Counts what of a plan's ranges is in RAM, and what moved between two counts. Changes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <memoir/hint.h>

#include "base/error.h"
#include "hints/slice.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"
#include "snapshot/capture.h"

#define RUNS 512
#define WORDS 2048

static void take(struct memoir_residence *residence, bool present, bool swapped, bool huge,
		 uint64_t bytes)
{
	if (present)
		residence->resident_bytes += bytes;
	else if (swapped)
		residence->swapped_bytes += bytes;
	if (present && huge)
		residence->huge_bytes += bytes;
}

static int count_by_words(int fd, uint64_t start, uint64_t end, struct memoir_residence *residence)
{
	uint64_t words[WORDS];

	while (start < end) {
		uint64_t left = (end - start) / PAGE_BYTES;
		ssize_t got = pagemap_read(fd, start / PAGE_BYTES, words,
					   (size_t)(left < WORDS ? left : WORDS));

		if (got <= 0)
			return got < 0 ? (int)got : -ESRCH;
		for (ssize_t i = 0; i < got; i++)
			take(residence, pagemap_present(words[i]), pagemap_swapped(words[i]), false,
			     PAGE_BYTES);
		start += (uint64_t)got * PAGE_BYTES;
	}
	return 0;
}

/* Swapped runs may be markers of other kinds: their words are looked at. */
static int take_run(int fd, const struct pagemap_run *run, struct memoir_residence *residence)
{
	if (!(run->categories & PAGEMAP_RUN_PRESENT))
		return count_by_words(fd, run->start, run->end, residence);
	take(residence, true, false, run->categories & PAGEMAP_RUN_HUGE, run->end - run->start);
	return 0;
}

static int count(int fd, uint64_t start, uint64_t end, struct memoir_residence *residence)
{
	struct pagemap_run runs[RUNS];
	int err = 0;

	residence->huge_known = true;
	while (start < end && !err) {
		/* Not all at once: meanwhile nothing can be mapped. */
		uint64_t window = end - start < SLICE_LOOK_BYTES ? end : start + SLICE_LOOK_BYTES;
		uint64_t walked;
		ssize_t got = pagemap_scan(fd, start, window, false, runs, RUNS, &walked);

		if (got == -ENOTTY || got == -EINVAL) {
			residence->huge_known = false;
			return count_by_words(fd, start, end, residence);
		}
		if (got < 0)
			return (int)got;
		for (ssize_t i = 0; i < got && !err; i++)
			err = take_run(fd, &runs[i], residence);
		start = walked;
	}
	return err;
}

static void measure_process(struct memoir *memoir, const struct memoir_plan *plan, size_t index,
			    struct memoir_residence *residences)
{
	const struct memoir_plan_process *process = &plan->processes[index];
	struct process_stat stat;
	int fd = pagemap_open(memoir->root, process->pid);

	if (fd < 0)
		return;
	if (process_stat(memoir->root, process->pid, &stat) == 0 &&
	    process_is_same(&stat, process->start_ticks, process->stack_start))
		for (uint32_t i = process->first_range;
		     i < process->first_range + process->range_count; i++)
			residences[i].known = count(fd, plan->ranges[i].start, plan->ranges[i].end,
						    &residences[i]) == 0;
	close(fd);
}

int memoir_plan_measure(struct memoir *memoir, const struct memoir_plan *plan,
			struct memoir_residence **ret_residences, struct memoir_error *error)
{
	struct memoir_residence *residences = calloc(plan->range_count + 1, sizeof(*residences));

	if (!residences)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < plan->process_count; i++)
		measure_process(memoir, plan, i, residences);
	*ret_residences = residences;
	return 0;
}

void memoir_plan_moved(const struct memoir_plan *plan, size_t process,
		       const struct memoir_residence *before, const struct memoir_residence *after,
		       struct memoir_moved *ret_moved)
{
	const struct memoir_plan_process *of = &plan->processes[process];
	bool collapse = plan->hint == MEMOIR_HINT_COLLAPSE;
	struct memoir_moved moved = {
		.known = collapse || plan->hint == MEMOIR_HINT_PAGEOUT,
	};

	for (uint32_t i = of->first_range; i < of->first_range + of->range_count; i++) {
		uint64_t from = collapse ? after[i].huge_bytes : before[i].resident_bytes;
		uint64_t to = collapse ? before[i].huge_bytes : after[i].resident_bytes;

		moved.known &= before[i].known && after[i].known &&
			       (!collapse || (before[i].huge_known && after[i].huge_known));
		moved.moved_bytes += from > to ? from - to : 0;
		moved.moved_ranges += from > to;
	}
	*ret_moved = moved.known ? moved : (struct memoir_moved){ 0 };
}
