// SPDX-License-Identifier: MIT
/*
 * Which memory was not touched for a while: chooses the means, begins, reads and tells. It never waits, and
 * does to the processes no more than the means says.
 */
#include "hints/idle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/meant.h"
#include "base/options.h"
#include "kernel/clear_refs.h"
#include "kernel/damon.h"

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

/* Where only words can be read the mark means nothing: then DAMON's takes its place. */
static enum watch_mark pages_mark(const struct watch *watch)
{
	return watch_tables_work(watch->memoir) ? WATCH_NOT_ACCESSED : WATCH_NOT_WRITTEN;
}

/* ---- beginning ------------------------------------------------------------------------------ */

static int choose(struct memoir_idle *idle, enum memoir_idle_means asked,
		  struct memoir_error *error)
{
	const struct kroot *root = idle->watch.memoir->root;
	bool tables = asked != MEMOIR_IDLE_REFERENCED && asked != MEMOIR_IDLE_WRITTEN &&
		      watch_tables_work(idle->watch.memoir);

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

static void clear_space(struct memoir_idle *idle, struct watch_space *space)
{
	enum clear_refs what = means_of(idle->means)->clears;
	int err = 0;

	space->begun_ns = watch_now_ns();
	if (what) {
		err = clear_refs(idle->watch.memoir->root, space->pid, what);
		uint64_t took = watch_now_ns() - space->begun_ns;

		idle->stall_ns = took > idle->stall_ns ? took : idle->stall_ns;
	}
	if (err)
		space->state = err == -ENOENT || err == -ESRCH ? WATCH_VANISHED : WATCH_DENIED;
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
	struct damon_target *targets = calloc(idle->watch.count + 1, sizeof(*targets));
	uint8_t *meant = meant_regions(snapshot, selection);
	size_t count = 0;
	int err = targets && meant ? 0 : -ENOMEM;

	for (size_t i = 0; i < idle->watch.count && !err; i++) {
		struct watch_space *space = &idle->watch.spaces[i];

		err = list_ranges(snapshot, meant, memoir_snapshot_find_pid(snapshot, space->pid),
				  &targets[count]);
		space->kdamond = count;
		if (!err && targets[count].count)
			count++;
		else
			space->state = WATCH_VANISHED;
	}
	if (!err && count)
		err = damon_begin(idle->watch.memoir->root, targets, count, idle->asked_ns,
				  &idle->damon, error);
	for (size_t i = 0; targets && i <= idle->watch.count; i++)
		free(targets[i].ranges);
	free(targets);
	free(meant);
	return err;
}

/* The first of two looks. */
static int look_before(struct memoir_idle *idle)
{
	int err = watch_read_pages(&idle->watch, pages_mark(&idle->watch));

	watch_go_on(&idle->watch);
	return err;
}

/* Nobody could be watched, though somebody is there: a failure, and who would be able to. */
static int check_denied(struct memoir_idle *idle, struct memoir_error *error)
{
	size_t denied = 0, left = 0;
	pid_t first = 0;

	for (size_t i = 0; i < idle->watch.count; i++) {
		left += idle->watch.spaces[i].state == WATCH_GOES_ON;
		if (idle->watch.spaces[i].state != WATCH_DENIED)
			continue;
		first = denied++ ? first : idle->watch.spaces[i].pid;
	}
	if (denied && !left)
		return error_set_about(error, -EACCES, first, "",
				       "process %d can't be watched: /proc/%d/clear_refs may be "
				       "written by its own user, or with CAP_DAC_OVERRIDE",
				       (int)first, (int)first);
	if (denied)
		return watch_note(
			&idle->watch, true,
			"%zu process%s can't be watched, among them %d: clear_refs may be "
			"written by their own user, or with CAP_DAC_OVERRIDE",
			denied, denied == 1 ? "" : "es", (int)first);
	return 0;
}

static int begin(struct memoir_idle *idle, const struct memoir_snapshot *snapshot,
		 const struct memoir_selection *selection,
		 const struct memoir_idle_options *options, struct memoir_error *error)
{
	unsigned int others = damon_running(idle->watch.memoir->root);
	int err = choose(idle, options->means, error);

	idle->asked_ns = options->interval_ns;
	if (!err)
		err = watch_list(&idle->watch, snapshot, selection);
	if (!err && idle->means == MEMOIR_IDLE_DAMON)
		err = begin_damon(idle, snapshot, selection, error);
	else if (!err && others && idle->means != MEMOIR_IDLE_WRITTEN)
		err = watch_note(&idle->watch, false,
				 "DAMON runs on this machine (%u kdamond%s): it clears accessed "
				 "bits too, so that memory touched only now and then may look idle",
				 others, others == 1 ? "" : "s");
	if (err)
		return err;
	for (size_t i = 0; i < idle->watch.count; i++)
		clear_space(idle, &idle->watch.spaces[i]);
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
	struct memoir_idle_options set = { .sz = sizeof(set) };
	struct memoir_idle *idle;
	int err = 0;

	if (error)
		*error = (struct memoir_error){ 0 };
	if (options)
		err = options_copy(&set, sizeof(set), options, options->sz,
				   "struct memoir_idle_options", error);
	if (err)
		return err;
	idle = calloc(1, sizeof(*idle));
	if (!idle)
		return error_set(error, -ENOMEM, "out of memory");
	idle->watch.memoir = memoir;
	err = begin(idle, snapshot, selection, &set, error);
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
	page_bits_mark(arg, start, end);
}

/*
 * What is resident, all of it touched but for what DAMON saw no access to in at least half of the time, and
 * was there before. Regions' ages start anew where DAMON splits and merges them, so that few get older.
 */
static int read_damon(struct memoir_idle *idle)
{
	uint64_t age_ns =
		(watch_now_ns() - (idle->watch.count ? idle->watch.spaces[0].begun_ns : 0)) / 2;
	int err = watch_read_pages(&idle->watch, pages_mark(&idle->watch));

	for (size_t i = 0; i < idle->watch.count && !err; i++) {
		struct watch_space *space = &idle->watch.spaces[i];

		if (space->state != WATCH_READ)
			continue;
		page_bits_forget(&space->pages);
		if (damon_idle(&idle->damon, space->kdamond, age_ns, mark_idle, &space->pages) < 0)
			space->state = WATCH_VANISHED;
		page_bits_only(&space->pages, &space->before);
	}
	return err;
}

static int read_passive(struct memoir_idle *idle)
{
	uint64_t cleared = 0;
	int err = watch_read_tables(&idle->watch, WATCH_NOT_ACCESSED);

	for (size_t i = 0; i < idle->watch.count && !err; i++)
		cleared += page_bits_since(&idle->watch.spaces[i].pages,
					   &idle->watch.spaces[i].before);
	if (!err && cleared)
		err = watch_note(&idle->watch, false,
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
		return watch_read_tables(&idle->watch, WATCH_NOT_ACCESSED);
	case MEMOIR_IDLE_REFERENCED:
		return watch_read_smaps(&idle->watch);
	case MEMOIR_IDLE_WRITTEN:
		return watch_read_words(&idle->watch, WATCH_NOT_WRITTEN);
	case MEMOIR_IDLE_DAMON:
		return read_damon(idle);
	default:
		return -EINVAL;
	}
}

static void count_vanished(struct memoir_idle *idle)
{
	for (size_t i = 0; i < idle->watch.count; i++)
		idle->vanished += idle->watch.spaces[i].state == WATCH_VANISHED;
}

int memoir_idle_read(struct memoir_idle *idle, struct memoir_error *error)
{
	uint64_t now = watch_now_ns();
	int err = idle->read ? -EALREADY : read_all(idle);

	idle->read = true;
	idle->interval_ns = idle->watch.count ? UINT64_MAX : 0;
	for (size_t i = 0; i < idle->watch.count; i++)
		if (now - idle->watch.spaces[i].begun_ns < idle->interval_ns)
			idle->interval_ns = now - idle->watch.spaces[i].begun_ns;
	if (idle->damon.count)
		damon_end(&idle->damon);
	idle->damon.count = 0;
	count_vanished(idle);
	/* Who could not even be cleared has a note already. */
	if (!err && !idle->watch.partial)
		err = watch_note_denied(&idle->watch);
	return err ? error_set(error, err, "what was touched can't be read: %s", strerror(-err))
		   : 0;
}

void memoir_idle_free(struct memoir_idle *idle)
{
	if (!idle)
		return;
	if (idle->damon.count)
		damon_end(&idle->damon);
	watch_free(&idle->watch);
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
	return idle->watch.partial;
}

size_t memoir_idle_vanished(const struct memoir_idle *idle)
{
	return idle->vanished;
}

size_t memoir_idle_note_count(const struct memoir_idle *idle)
{
	return idle->watch.note_count;
}

const char *memoir_idle_note(const struct memoir_idle *idle, size_t i)
{
	return i < idle->watch.note_count ? idle->watch.notes[i] : NULL;
}

bool memoir_idle_knows(const struct memoir_idle *idle, const struct memoir_process *process)
{
	const struct watch_space *space = watch_find(&idle->watch, process->pid);

	return space && space->start_ticks == process->start_ticks;
}

static void sum_pages(const struct watch_space *space, uint64_t start, uint64_t end,
		      struct memoir_idle_figures *sum)
{
	struct page_sum pages = page_bits_sum(&space->pages, start, end);

	sum->rss_bytes = pages.there_bytes;
	sum->idle_bytes = pages.marked_bytes;
	sum->unknown_bytes = pages.unknown_bytes;
	sum->touched_bytes = pages.there_bytes - pages.marked_bytes - pages.unknown_bytes;
}

/* Whole mappings in the range; one that it cuts can't be told. Rising. */
static int sum_spans(const struct watch_space *space, uint64_t start, uint64_t end,
		     struct memoir_idle_figures *sum)
{
	for (size_t i = 0; i < space->span_count; i++) {
		const struct watch_span *span = &space->spans[i];

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
	const struct watch_space *space = watch_find(&idle->watch, pid);
	struct memoir_idle_figures sum = { 0 };
	int err = 0;

	if (!space)
		return -ESRCH;
	if (memoir_idle_means_has_pages(idle->means))
		sum_pages(space, start, end, &sum);
	else
		err = sum_spans(space, start, end, &sum);
	if (!err)
		*ret_figures = sum;
	return err;
}

int memoir_idle_ranges(const struct memoir_idle *idle, pid_t pid, uint64_t start, uint64_t end,
		       int (*each)(uint64_t start, uint64_t end, void *arg), void *arg)
{
	const struct watch_space *space = watch_find(&idle->watch, pid);

	if (!space)
		return -ESRCH;
	if (!memoir_idle_means_has_pages(idle->means))
		return -ENODATA;
	return page_bits_runs(&space->pages, start, end, each, arg);
}
