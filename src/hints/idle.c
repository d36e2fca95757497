// SPDX-License-Identifier: MIT
/*
 * Which memory was not touched for a while: chooses the means, begins, reads and tells. It never waits, and
 * does to the processes no more than the means says.
 */
#include "hints/idle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/meant.h"
#include "base/grow.h"
#include "kernel/clear_refs.h"

struct means {
	const char *name, *blind;
	bool has_pages;
	enum clear_refs clears; /* 0: nothing */
};

static const struct means all_means[MEMOIR_IDLE_MEANS] = {
	[MEMOIR_IDLE_AUTO] = { .name = "auto" },
	[MEMOIR_IDLE_PASSIVE] = {
		.name = "passive",
		.blind = "when a page was touched whose accessed bit the kernel has not cleared by itself: "
			 "that is unknown_bytes",
		.has_pages = true,
	},
	[MEMOIR_IDLE_ACCESSED] = {
		.name = "accessed",
		.blind = "accesses by read(2), write(2), devices, or through other processes' mappings, and "
			 "which pages the kernel has mapped beside a touched one",
		.has_pages = true,
		.clears = CLEAR_REFS_ACCESSED,
	},
	[MEMOIR_IDLE_REFERENCED] = {
		.name = "referenced",
		.blind = "which pages of a region they are, accesses by read(2), write(2) or devices, and "
			 "which pages the kernel has mapped beside a touched one",
		.clears = CLEAR_REFS_ACCESSED,
	},
	[MEMOIR_IDLE_WRITTEN] = {
		.name = "written",
		.blind = "reads: memory that was only read counts as idle",
		.has_pages = true,
		.clears = CLEAR_REFS_SOFT_DIRTY,
	},
	[MEMOIR_IDLE_DAMON] = {
		.name = "damon",
		.blind = "single pages: one page of each of DAMON's regions stands for the rest, and is idle "
			 "if no access was seen for half of the time",
		.has_pages = true,
	},
};

static const struct means *means_of(enum memoir_idle_means means)
{
	return (unsigned int)means < MEMOIR_IDLE_MEANS ? &all_means[means] : NULL;
}

const char *memoir_idle_means_name(enum memoir_idle_means means)
{
	return means_of(means) ? means_of(means)->name : NULL;
}

const char *memoir_idle_means_blind(enum memoir_idle_means means)
{
	return means_of(means) ? means_of(means)->blind : NULL;
}

bool memoir_idle_means_has_pages(enum memoir_idle_means means)
{
	return means_of(means) && means_of(means)->has_pages;
}

uint64_t idle_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int idle_note(struct memoir_idle *idle, bool partial, const char *format, ...)
{
	char **notes = grow(idle->notes, &idle->note_room, idle->note_count + 1, sizeof(*notes));
	va_list args;

	if (!notes)
		return -ENOMEM;
	idle->notes = notes;
	va_start(args, format);
	int len = vasprintf(&notes[idle->note_count], format, args);

	va_end(args);
	if (len < 0)
		return -ENOMEM;
	idle->note_count++;
	idle->partial |= partial;
	return 0;
}

/* ---- beginning ------------------------------------------------------------------------------ */

static int choose(struct memoir_idle *idle, enum memoir_idle_means asked,
		  struct memoir_error *error)
{
	const struct kroot *root = idle->memoir->root;
	bool tables = asked != MEMOIR_IDLE_REFERENCED && asked != MEMOIR_IDLE_WRITTEN &&
		      idle_tables_work(idle->memoir);

	if (!means_of(asked))
		return error_set(error, -EINVAL, "there is no such means");
	if (!kroot_is_live(root))
		return error_set(error, -EOPNOTSUPP,
				 "what is touched can only be seen on the running machine");
	idle->means = asked != MEMOIR_IDLE_AUTO ? asked
		      : tables                  ? MEMOIR_IDLE_ACCESSED
						: MEMOIR_IDLE_REFERENCED;
	if ((idle->means == MEMOIR_IDLE_ACCESSED || idle->means == MEMOIR_IDLE_PASSIVE) && !tables)
		return error_set(error, -EOPNOTSUPP,
				 "page tables can't be read here, which %s needs (see memoir "
				 "check); --means referenced works without",
				 idle->means == MEMOIR_IDLE_ACCESSED ? "accessed" : "passive");
	if (idle->means == MEMOIR_IDLE_WRITTEN && clear_refs_soft_dirty_works(root) != 1)
		return error_set(error, -EOPNOTSUPP,
				 "this kernel has no soft-dirty bits (CONFIG_MEM_SOFT_DIRTY)");
	return 0;
}

static int list_spaces(struct memoir_idle *idle, const struct memoir_snapshot *snapshot,
		       const struct memoir_selection *selection)
{
	uint8_t *meant = meant_processes(snapshot, selection);

	idle->spaces = calloc(snapshot->process_count + 1, sizeof(*idle->spaces));
	if (!meant || !idle->spaces) {
		free(meant);
		return -ENOMEM;
	}
	for (size_t i = 0; i < snapshot->process_count; i++)
		if (meant[i] != MEANT_NOT)
			idle->spaces[idle->space_count++] = (struct idle_space){
				.pid = snapshot->processes[i].pid,
				.start_ticks = snapshot->processes[i].start_ticks,
			};
	free(meant);
	return 0;
}

static void clear_space(struct memoir_idle *idle, struct idle_space *space)
{
	enum clear_refs what = means_of(idle->means)->clears;
	int err = 0;

	space->begun_ns = idle_now_ns();
	if (what) {
		err = clear_refs(idle->memoir->root, space->pid, what);
		uint64_t took = idle_now_ns() - space->begun_ns;

		idle->stall_ns = took > idle->stall_ns ? took : idle->stall_ns;
	}
	if (err)
		space->state = err == -ENOENT || err == -ESRCH ? IDLE_VANISHED : IDLE_DENIED;
}

/* The ranges of a process that anything asked for is resident in, neighbours put together. */
static int list_ranges(const struct memoir_snapshot *snapshot, const uint8_t *meant,
		       const struct memoir_process *process, struct damon_target *target)
{
	target->pid = process->pid;
	target->ranges = calloc((size_t)process->region_count + 1, sizeof(*target->ranges));
	if (!target->ranges)
		return -ENOMEM;
	for (uint32_t i = 0; i < process->region_count; i++) {
		size_t at = (size_t)process->first_region + i;
		const struct memoir_region *region = memoir_snapshot_region(snapshot, at);
		struct damon_range *last = target->ranges + target->count - 1;

		if (!region || meant[at] == MEANT_NOT || region->kind == MEMOIR_KIND_HUGETLB ||
		    !region->figures.bytes[MEMOIR_RSS])
			continue;
		if (target->count && last->end == region->start)
			last->end = region->end;
		else
			target->ranges[target->count++] =
				(struct damon_range){ region->start, region->end };
	}
	return 0;
}

/* A process of which nothing is to be watched has none of its own kdamonds. */
static int begin_damon(struct memoir_idle *idle, const struct memoir_snapshot *snapshot,
		       const struct memoir_selection *selection, struct memoir_error *error)
{
	struct damon_target *targets = calloc(idle->space_count + 1, sizeof(*targets));
	uint8_t *meant = meant_regions(snapshot, selection);
	size_t count = 0;
	int err = targets && meant ? 0 : -ENOMEM;

	for (size_t i = 0; i < idle->space_count && !err; i++) {
		struct idle_space *space = &idle->spaces[i];

		err = list_ranges(snapshot, meant, memoir_snapshot_find_pid(snapshot, space->pid),
				  &targets[count]);
		space->kdamond = count;
		if (!err && targets[count].count)
			count++;
		else
			space->state = IDLE_VANISHED;
	}
	if (!err && count)
		err = damon_begin(idle->memoir->root, targets, count, idle->asked_ns, &idle->damon,
				  error);
	for (size_t i = 0; targets && i <= idle->space_count; i++)
		free(targets[i].ranges);
	free(targets);
	free(meant);
	return err;
}

static int read_pages(struct memoir_idle *idle)
{
	return idle_tables_work(idle->memoir) ? idle_read_tables(idle) : idle_read_words(idle);
}

/* The first of two looks: kept apart, and all are watched on. */
static int look_before(struct memoir_idle *idle)
{
	int err = read_pages(idle);

	for (size_t i = 0; i < idle->space_count && !err; i++) {
		struct idle_space *space = &idle->spaces[i];

		space->before = space->pages;
		space->pages = (struct idle_pages){ 0 };
		if (space->state == IDLE_READ)
			space->state = IDLE_WATCHED;
	}
	return err;
}

/* Nobody could be watched, though somebody is there: a failure, and who would be able to. */
static int check_denied(struct memoir_idle *idle, struct memoir_error *error)
{
	size_t denied = 0, left = 0;
	pid_t first = 0;

	for (size_t i = 0; i < idle->space_count; i++) {
		left += idle->spaces[i].state == IDLE_WATCHED;
		if (idle->spaces[i].state != IDLE_DENIED)
			continue;
		first = denied++ ? first : idle->spaces[i].pid;
	}
	if (denied && !left)
		return error_set_about(error, -EACCES, first, "",
				       "process %d can't be watched: /proc/%d/clear_refs may be "
				       "written by its own user, or with CAP_DAC_OVERRIDE",
				       (int)first, (int)first);
	if (denied)
		return idle_note(idle, true,
				 "%zu process%s can't be watched, among them %d: clear_refs may be "
				 "written by their own user, or with CAP_DAC_OVERRIDE",
				 denied, denied == 1 ? "" : "es", (int)first);
	return 0;
}

static int begin(struct memoir_idle *idle, const struct memoir_snapshot *snapshot,
		 const struct memoir_selection *selection,
		 const struct memoir_idle_options *options, struct memoir_error *error)
{
	unsigned int others = damon_running(idle->memoir->root);
	int err = choose(idle, options->means, error);

	idle->asked_ns = options->interval_ns;
	if (!err)
		err = list_spaces(idle, snapshot, selection);
	if (!err && idle->means == MEMOIR_IDLE_DAMON)
		err = begin_damon(idle, snapshot, selection, error);
	else if (!err && others && idle->means != MEMOIR_IDLE_WRITTEN)
		err = idle_note(idle, false,
				"DAMON runs on this machine (%u kdamond%s): it clears accessed "
				"bits too, so that memory touched only now and then may look idle",
				others, others == 1 ? "" : "s");
	if (err)
		return err;
	for (size_t i = 0; i < idle->space_count; i++)
		clear_space(idle, &idle->spaces[i]);
	err = check_denied(idle, error);
	if (!err && (idle->means == MEMOIR_IDLE_PASSIVE || idle->means == MEMOIR_IDLE_DAMON))
		err = look_before(idle);
	return err;
}

int memoir_idle_begin(struct memoir *memoir, const struct memoir_snapshot *snapshot,
		      const struct memoir_selection *selection,
		      const struct memoir_idle_options *options, struct memoir_idle **ret_idle,
		      struct memoir_error *error)
{
	struct memoir_idle *idle = calloc(1, sizeof(*idle));

	if (error)
		*error = (struct memoir_error){ 0 };
	if (!idle)
		return error_set(error, -ENOMEM, "out of memory");
	idle->memoir = memoir;
	int err = begin(idle, snapshot, selection, options, error);

	if (err) {
		memoir_idle_free(idle);
		if (error && !error->code)
			error_set(error, err, "idle memory can't be looked for: %s",
				  strerror(-err));
		return err;
	}
	*ret_idle = idle;
	return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void mark_idle(uint64_t start, uint64_t end, void *arg)
{
	idle_pages_mark(arg, start, end);
}

/*
 * What is resident, all of it touched but for what DAMON saw no access to in at least half of the time, and
 * was there before. Regions' ages start anew where DAMON splits and merges them, so that few get older.
 */
static int read_damon(struct memoir_idle *idle)
{
	uint64_t age_ns = (idle_now_ns() - (idle->space_count ? idle->spaces[0].begun_ns : 0)) / 2;
	int err = read_pages(idle);

	for (size_t i = 0; i < idle->space_count && !err; i++) {
		struct idle_space *space = &idle->spaces[i];

		if (space->state != IDLE_READ)
			continue;
		idle_pages_forget(&space->pages);
		if (damon_idle(&idle->damon, space->kdamond, age_ns, mark_idle, &space->pages) < 0)
			space->state = IDLE_VANISHED;
		idle_pages_only(&space->pages, &space->before);
	}
	return err;
}

static int read_passive(struct memoir_idle *idle)
{
	uint64_t cleared = 0;
	int err = idle_read_tables(idle);

	for (size_t i = 0; i < idle->space_count && !err; i++)
		cleared += idle_pages_since(&idle->spaces[i].pages, &idle->spaces[i].before);
	if (!err && cleared)
		err = idle_note(idle, false,
				"the kernel has cleared the accessed bits of %" PRIu64
				" pages meanwhile: some that were touched before that may look "
				"idle",
				cleared);
	return err;
}

static int read_all(struct memoir_idle *idle)
{
	switch (idle->means) {
	case MEMOIR_IDLE_PASSIVE:
		return read_passive(idle);
	case MEMOIR_IDLE_ACCESSED:
		return idle_read_tables(idle);
	case MEMOIR_IDLE_REFERENCED:
		return idle_read_smaps(idle);
	case MEMOIR_IDLE_WRITTEN:
		return idle_read_words(idle);
	case MEMOIR_IDLE_DAMON:
		return read_damon(idle);
	default:
		return -EINVAL;
	}
}

static int count_states(struct memoir_idle *idle)
{
	size_t denied = 0;

	for (size_t i = 0; i < idle->space_count; i++) {
		idle->vanished += idle->spaces[i].state == IDLE_VANISHED;
		/* Those that could not even be cleared have their note. */
		denied += idle->spaces[i].state == IDLE_DENIED && idle->spaces[i].begun_ns;
	}
	if (!denied || idle->partial)
		return 0;
	return idle_note(idle, true,
			 "%zu process%s could not be read: this needs the right to ptrace them "
			 "(CAP_SYS_PTRACE, or their own user)",
			 denied, denied == 1 ? "" : "es");
}

int memoir_idle_read(struct memoir_idle *idle, struct memoir_error *error)
{
	uint64_t now = idle_now_ns();
	int err = idle->read ? -EALREADY : read_all(idle);

	idle->read = true;
	idle->interval_ns = idle->space_count ? UINT64_MAX : 0;
	for (size_t i = 0; i < idle->space_count; i++)
		if (now - idle->spaces[i].begun_ns < idle->interval_ns)
			idle->interval_ns = now - idle->spaces[i].begun_ns;
	if (idle->damon.count)
		damon_end(&idle->damon);
	idle->damon.count = 0;
	if (!err)
		err = count_states(idle);
	return err ? error_set(error, err, "what was touched can't be read: %s", strerror(-err))
		   : 0;
}

void memoir_idle_free(struct memoir_idle *idle)
{
	if (!idle)
		return;
	if (idle->damon.count)
		damon_end(&idle->damon);
	for (size_t i = 0; i < idle->space_count; i++) {
		idle_pages_free(&idle->spaces[i].before);
		idle_pages_free(&idle->spaces[i].pages);
		free(idle->spaces[i].spans);
	}
	for (size_t i = 0; i < idle->note_count; i++)
		free(idle->notes[i]);
	free(idle->notes);
	free(idle->spaces);
	free(idle);
}

/* ---- telling -------------------------------------------------------------------------------- */

enum memoir_idle_means memoir_idle_means(const struct memoir_idle *idle)
{
	return idle->means;
}

uint64_t memoir_idle_interval_ns(const struct memoir_idle *idle)
{
	return idle->interval_ns;
}

uint64_t memoir_idle_stall_ns(const struct memoir_idle *idle)
{
	return idle->stall_ns;
}

bool memoir_idle_partial(const struct memoir_idle *idle)
{
	return idle->partial;
}

size_t memoir_idle_vanished(const struct memoir_idle *idle)
{
	return idle->vanished;
}

size_t memoir_idle_note_count(const struct memoir_idle *idle)
{
	return idle->note_count;
}

const char *memoir_idle_note(const struct memoir_idle *idle, size_t i)
{
	return i < idle->note_count ? idle->notes[i] : NULL;
}

static const struct idle_space *find(const struct memoir_idle *idle, pid_t pid)
{
	for (size_t i = 0; i < idle->space_count; i++)
		if (idle->spaces[i].pid == pid)
			return idle->spaces[i].state == IDLE_READ ? &idle->spaces[i] : NULL;
	return NULL;
}

bool memoir_idle_knows(const struct memoir_idle *idle, const struct memoir_process *process)
{
	const struct idle_space *space = find(idle, process->pid);

	return space && space->start_ticks == process->start_ticks;
}

/* Whole mappings in the range; one that it cuts can't be told. Rising. */
static int sum_spans(const struct idle_space *space, uint64_t start, uint64_t end,
		     struct memoir_idle_figures *sum)
{
	for (size_t i = 0; i < space->span_count; i++) {
		const struct idle_span *span = &space->spans[i];

		if (span->end <= start || span->start >= end)
			continue;
		if (span->start < start || span->end > end)
			return -ENODATA;
		sum->rss_bytes += span->rss_bytes;
		sum->idle_bytes += span->idle_bytes;
		sum->touched_bytes += span->rss_bytes - span->idle_bytes;
	}
	return 0;
}

int memoir_idle_of(const struct memoir_idle *idle, pid_t pid, uint64_t start, uint64_t end,
		   struct memoir_idle_figures *ret_figures)
{
	const struct idle_space *space = find(idle, pid);
	struct memoir_idle_figures sum = { 0 };
	int err = 0;

	if (!space)
		return -ESRCH;
	if (memoir_idle_means_has_pages(idle->means))
		idle_pages_sum(&space->pages, start, end, &sum);
	else
		err = sum_spans(space, start, end, &sum);
	if (!err)
		*ret_figures = sum;
	return err;
}

int memoir_idle_ranges(const struct memoir_idle *idle, pid_t pid, uint64_t start, uint64_t end,
		       int (*each)(uint64_t start, uint64_t end, void *arg), void *arg)
{
	const struct idle_space *space = find(idle, pid);

	if (!space)
		return -ESRCH;
	if (!memoir_idle_means_has_pages(idle->means))
		return -ENODATA;
	return idle_pages_runs(&space->pages, start, end, each, arg);
}
