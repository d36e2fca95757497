// SPDX-License-Identifier: MIT
/*
 * What of the memory that is swapped out comes back, and how soon. Looks when it is told to, never waits, and
 * changes nothing.
 */
#include "hints/refault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/meant.h"
#include "base/grow.h"
#include "kernel/process.h"
#include "kernel/vmstat.h"

#define NS_PER_SECOND UINT64_C(1000000000)
/* A look that comes a little late for a span's end is still of it. */
#define LATE_NS (NS_PER_SECOND / 20)

static const uint64_t spans[MEMOIR_REFAULT_SPANS] = {
	1 * NS_PER_SECOND,
	10 * NS_PER_SECOND,
	60 * NS_PER_SECOND,
	600 * NS_PER_SECOND,
};

uint64_t memoir_refault_span_ns(unsigned int i)
{
	return i < MEMOIR_REFAULT_SPANS ? spans[i] : UINT64_MAX;
}

void refault_add(struct memoir_refault_figures *sum, const struct memoir_refault_figures *addend)
{
	sum->swapped_bytes += addend->swapped_bytes;
	sum->back_bytes += addend->back_bytes;
	for (unsigned int i = 0; i < MEMOIR_REFAULT_SPANS; i++)
		sum->back_within_bytes[i] += addend->back_within_bytes[i];
	sum->gone_bytes += addend->gone_bytes;
	sum->out_bytes += addend->out_bytes;
}

/* ---- counters ------------------------------------------------------------------------------- */

static struct memoir_refault_machine read_machine(const struct kroot *root)
{
	static const char *const keys[] = { "workingset_refault_anon", "workingset_refault_file",
					    "pswpin" };
	uint64_t pages[3] = { UINT64_MAX, UINT64_MAX, UINT64_MAX };

	vmstat_read(root, keys, 3, pages);
	for (size_t i = 0; i < 3; i++)
		if (pages[i] != UINT64_MAX)
			pages[i] *= BITS_PAGE_BYTES;
	return (struct memoir_refault_machine){ pages[0], pages[1], pages[2] };
}

static void read_faults(struct memoir_refaults *refaults, bool first)
{
	for (size_t i = 0; i < refaults->watch.count; i++) {
		const struct watch_space *space = &refaults->watch.spaces[i];
		struct refault_faults *faults = &refaults->faults[i];
		struct process_stat stat;

		faults->known =
			(first || faults->known) &&
			process_stat(refaults->watch.memoir->root, space->pid, &stat) == 0 &&
			stat.start_ticks == space->start_ticks;
		if (!faults->known)
			continue;
		faults->now = stat.major_faults;
		if (first)
			faults->before = stat.major_faults;
	}
}

/* ---- beginning ------------------------------------------------------------------------------ */

static int take_region(struct memoir_refaults *refaults, size_t space,
		       const struct memoir_region *region)
{
	struct page_sum sum =
		page_bits_sum(&refaults->watch.spaces[space].before, region->start, region->end);
	struct refault_region *regions;

	if (!sum.marked_bytes)
		return 0;
	regions = grow(refaults->regions, &refaults->region_room, refaults->region_count + 1,
		       sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	refaults->regions = regions;
	regions[refaults->region_count++] = (struct refault_region){
		.region = region,
		.space = space,
		.figures = { .swapped_bytes = sum.marked_bytes, .out_bytes = sum.marked_bytes },
	};
	return 0;
}

/* Regions with anything swapped out. Of swapped shmem there is nothing to be seen: that is said. */
static int take_regions(struct memoir_refaults *refaults, const uint8_t *meant)
{
	const struct memoir_snapshot *snapshot = refaults->snapshot;
	uint64_t shmem = 0;
	int err = 0;

	for (size_t s = 0; s < refaults->watch.count && !err; s++) {
		const struct memoir_process *process =
			memoir_snapshot_find_pid(snapshot, refaults->watch.spaces[s].pid);

		for (uint32_t i = 0; i < process->region_count && !err; i++) {
			size_t at = (size_t)process->first_region + i;
			const struct memoir_region *region = memoir_snapshot_region(snapshot, at);

			if (!region || meant[at] == MEANT_NOT)
				continue;
			if (kind_is_shmem(region->kind))
				shmem += region->figures.bytes[MEMOIR_SWAP];
			err = take_region(refaults, s, region);
		}
	}
	if (!err && shmem)
		err = watch_note(&refaults->watch, false,
				 "swapped pages of shmem leave no trace in page tables: what of "
				 "them comes back is not seen");
	return err;
}

static int check_denied(struct memoir_refaults *refaults, struct memoir_error *error)
{
	size_t denied = 0, left = 0;

	for (size_t i = 0; i < refaults->watch.count; i++) {
		denied += refaults->watch.spaces[i].state == WATCH_DENIED;
		left += refaults->watch.spaces[i].state == WATCH_GOES_ON;
	}
	if (denied && !left)
		return error_set(
			error, -EACCES,
			"none of the processes may be read: this needs the right to ptrace "
			"them (CAP_SYS_PTRACE, or their own user)");
	return watch_note_denied(&refaults->watch);
}

static int begin(struct memoir_refaults *refaults, const struct memoir_selection *selection,
		 struct memoir_error *error)
{
	const struct kroot *root = refaults->watch.memoir->root;
	uint8_t *meant = NULL;
	int err;

	if (!kroot_is_live(root))
		return error_set(error, -EOPNOTSUPP,
				 "what comes back can only be seen on the running machine");
	err = watch_list(&refaults->watch, refaults->snapshot, selection);
	if (err)
		return err;
	refaults->faults = calloc(refaults->watch.count + 1, sizeof(*refaults->faults));
	meant = meant_regions(refaults->snapshot, selection);
	err = refaults->faults && meant ? 0 : -ENOMEM;
	if (!err) {
		read_faults(refaults, true);
		refaults->machine_before = refaults->machine_now = read_machine(root);
		err = watch_read_pages(&refaults->watch, WATCH_SWAPPED);
	}
	watch_go_on(&refaults->watch);
	refaults->begun_ns = watch_now_ns();
	if (!err)
		err = take_regions(refaults, meant);
	free(meant);
	return err ? err : check_denied(refaults, error);
}

int memoir_refaults_begin(struct memoir *memoir, const struct memoir_snapshot *snapshot,
			  const struct memoir_selection *selection,
			  struct memoir_refaults **ret_refaults, struct memoir_error *error)
{
	struct memoir_refaults *refaults = calloc(1, sizeof(*refaults));

	if (error)
		*error = (struct memoir_error){ 0 };
	if (!refaults)
		return error_set(error, -ENOMEM, "out of memory");
	refaults->watch.memoir = memoir;
	refaults->snapshot = snapshot;
	int err = begin(refaults, selection, error);

	if (err) {
		memoir_refaults_free(refaults);
		if (error && !error->code)
			error_set(error, err, "swapped pages can't be watched: %s", strerror(-err));
		return err;
	}
	*ret_refaults = refaults;
	return 0;
}

/* ---- looking -------------------------------------------------------------------------------- */

static void count_back(struct memoir_refault_figures *figures, uint64_t bytes, uint64_t after_ns)
{
	figures->back_bytes += bytes;
	figures->out_bytes -= bytes;
	for (unsigned int i = 0; i < MEMOIR_REFAULT_SPANS; i++)
		if (after_ns <= spans[i] + LATE_NS)
			figures->back_within_bytes[i] += bytes;
}

static void count_gone(struct memoir_refault_figures *figures, uint64_t bytes)
{
	figures->gone_bytes += bytes;
	figures->out_bytes -= bytes;
}

/* What is not marked any more. */
static int compare(struct memoir_refaults *refaults, size_t s, uint64_t after_ns)
{
	struct watch_space *space = &refaults->watch.spaces[s];
	struct page_bits lost = { 0 };
	int err = page_bits_lost(&space->before, &space->pages, &lost);

	for (size_t i = 0; i < refaults->region_count && !err && lost.count; i++) {
		struct refault_region *region = &refaults->regions[i];

		if (region->space != s)
			continue;
		struct page_sum sum =
			page_bits_sum(&lost, region->region->start, region->region->end);

		count_back(&region->figures, sum.there_bytes, after_ns);
		count_gone(&region->figures, sum.unknown_bytes);
	}
	page_bits_free(&lost);
	page_bits_free(&space->pages);
	return err;
}

int memoir_refaults_look(struct memoir_refaults *refaults, struct memoir_error *error)
{
	struct watch *watch = &refaults->watch;
	int err = watch_read_pages(watch, WATCH_SWAPPED);
	uint64_t after_ns = watch_now_ns() - refaults->begun_ns;

	for (size_t s = 0; s < watch->count && !err; s++) {
		enum watch_state state = watch->spaces[s].state;

		/* Of a process that has ended nothing is there. */
		if (state == WATCH_DENIED)
			continue;
		if (state == WATCH_VANISHED)
			page_bits_free(&watch->spaces[s].pages);
		err = compare(refaults, s, after_ns);
		if (state == WATCH_READ)
			watch->spaces[s].state = WATCH_GOES_ON;
	}
	if (err)
		return error_set(error, err, "swapped pages can't be looked at: %s",
				 strerror(-err));
	read_faults(refaults, false);
	refaults->machine_now = read_machine(watch->memoir->root);
	refaults->watched_ns = after_ns;
	return 0;
}

void memoir_refaults_free(struct memoir_refaults *refaults)
{
	if (!refaults)
		return;
	watch_free(&refaults->watch);
	free(refaults->regions);
	free(refaults->faults);
	free(refaults);
}

/* ---- telling -------------------------------------------------------------------------------- */

uint64_t memoir_refaults_watched_ns(const struct memoir_refaults *refaults)
{
	return refaults->watched_ns;
}

bool memoir_refaults_span_known(const struct memoir_refaults *refaults, unsigned int i)
{
	return i < MEMOIR_REFAULT_SPANS && refaults->watched_ns + LATE_NS >= spans[i];
}

bool memoir_refaults_partial(const struct memoir_refaults *refaults)
{
	return refaults->watch.partial;
}

size_t memoir_refaults_vanished(const struct memoir_refaults *refaults)
{
	size_t vanished = 0;

	for (size_t i = 0; i < refaults->watch.count; i++)
		vanished += refaults->watch.spaces[i].state == WATCH_VANISHED;
	return vanished;
}

size_t memoir_refaults_note_count(const struct memoir_refaults *refaults)
{
	return refaults->watch.note_count;
}

const char *memoir_refaults_note(const struct memoir_refaults *refaults, size_t i)
{
	return i < refaults->watch.note_count ? refaults->watch.notes[i] : NULL;
}

static uint64_t since(uint64_t before, uint64_t now)
{
	return before == UINT64_MAX || now == UINT64_MAX ? UINT64_MAX : now - before;
}

struct memoir_refault_machine memoir_refaults_machine(const struct memoir_refaults *refaults)
{
	const struct memoir_refault_machine *before = &refaults->machine_before;
	const struct memoir_refault_machine *now = &refaults->machine_now;

	return (struct memoir_refault_machine){
		.refault_anon_bytes = since(before->refault_anon_bytes, now->refault_anon_bytes),
		.refault_file_bytes = since(before->refault_file_bytes, now->refault_file_bytes),
		.swapped_in_bytes = since(before->swapped_in_bytes, now->swapped_in_bytes),
	};
}
