/* SPDX-License-Identifier: MIT */
/**
 * Which memory was not touched for a while: begin, let time pass, read, ask.
 *
 *     memoir_idle_begin(memoir, snapshot, selection, &options, &idle, &error);
 *     … sleep, or do something else …
 *     memoir_idle_read(idle, &error);
 *     memoir_idle_of(idle, pid, start, end, &figures);
 *
 * The means differ in what they see, in what they cost, and in what they do to the processes that are
 * watched (docs/IDLE.md). All of them look at page tables: an access through read(2), by a device, or
 * through another process's mapping of the same page is not seen.
 */
#ifndef MEMOIR_IDLE_H
#define MEMOIR_IDLE_H

#include <memoir/select.h>
#include <memoir/subject.h>

#ifdef __cplusplus
extern "C" {
#endif

enum memoir_idle_means {
	MEMOIR_IDLE_AUTO, /**< accessed, or where page tables can't be read, referenced */
	/** "passive": look at the accessed bits twice and clear nothing. Where the kernel's own aging has
	    not cleared a page's bit it is not known whether the page was touched meanwhile. */
	MEMOIR_IDLE_PASSIVE,
	/** "accessed": clear the accessed bits by /proc/PID/clear_refs, read them from the page tables by
	    BPF. Needs what MEMOIR_ENGINE_TABLES needs. 7 ms a GiB to clear, while the process can't
	    fault, map or unmap; 1 to 3 ms to read; the process pays 0.1 to 0.4 µs for the first access
	    to each page. Reclaim loses what it knew of these pages. */
	MEMOIR_IDLE_ACCESSED,
	/** "referenced": clear in the same way, read Referenced of smaps: regions, not pages. Any kernel;
	    needs no more than to be the process's user. 6 ms a GiB to read. */
	MEMOIR_IDLE_REFERENCED,
	/** "written": soft-dirty bits (CONFIG_MEM_SOFT_DIRTY), so writes only. The first write to
	    each page faults. */
	MEMOIR_IDLE_WRITTEN,
	/** "damon": regions sampled by DAMON (CONFIG_DAMON_VADDR, Linux 6.2; root): an estimate, at a
	    cost that does not grow with memory. */
	MEMOIR_IDLE_DAMON,
	MEMOIR_IDLE_MEANS,
};

/** "accessed" and so on; NULL for an unknown value. */
const char *memoir_idle_means_name(enum memoir_idle_means means);
/** What it cannot tell, as a sentence without its full stop; NULL for MEMOIR_IDLE_AUTO. */
const char *memoir_idle_means_blind(enum memoir_idle_means means);
/** Whether it tells pages apart, and not only regions. */
bool memoir_idle_means_has_pages(enum memoir_idle_means means);

/** What is resident, divided by use. idle + touched + unknown = rss. No hugetlb, no swap. */
struct memoir_idle_figures {
	uint64_t rss_bytes;
	uint64_t idle_bytes;    /**< not touched since memoir_idle_begin() */
	uint64_t touched_bytes; /**< touched, or new: also what the kernel mapped beside it */
	uint64_t unknown_bytes; /**< MEMOIR_IDLE_PASSIVE: touched once, but when can't be told */
};

struct memoir_idle_options {
	size_t sz;
	enum memoir_idle_means means;
	/** About how long it will be until memoir_idle_read(): DAMON sets its pace by it. */
	uint64_t interval_ns;
};

struct memoir_idle;

/**
 * @brief Begin to watch the processes that a selection means.
 *
 * Takes the list of processes from the snapshot, which need not live on; clears what the means clears.
 * Processes that may not be touched or have ended are left out, and counted in notes.
 * @param options NULL for the best means there is, and no interval in view
 * @param ret_idle owned by the caller: memoir_idle_free(), which also ends what DAMON does
 * @return 0, also where some processes could not be watched; -EACCES: none of them could;
 *         -EOPNOTSUPP: the means doesn't work here; -EBUSY: somebody else uses DAMON; -E2BIG: too many
 *         processes for DAMON, or options from a newer version; -EINVAL: their sz is not set; -ENOMEM
 */
int memoir_idle_begin(struct memoir *memoir, const struct memoir_snapshot *snapshot,
		      const struct memoir_selection *selection,
		      const struct memoir_idle_options *options, struct memoir_idle **ret_idle,
		      struct memoir_error *error);

/**
 * @brief Read which pages were touched since. Once; before anything else looks into the processes.
 * @return 0, also where processes have ended; -ENOMEM; another negative errno: nothing could be read
 */
int memoir_idle_read(struct memoir_idle *idle, struct memoir_error *error);

void memoir_idle_free(struct memoir_idle *idle);

/** The means that was chosen; never MEMOIR_IDLE_AUTO. */
enum memoir_idle_means memoir_idle_means(const struct memoir_idle *idle);
/** From clearing to reading; the shortest of all processes. */
uint64_t memoir_idle_interval_ns(const struct memoir_idle *idle);
/** The longest that clearing took for one process: so long it could not fault, map or unmap. */
uint64_t memoir_idle_stall_ns(const struct memoir_idle *idle);
/** Whether part of what was asked for could not be watched; the notes say what and why. */
bool memoir_idle_partial(const struct memoir_idle *idle);
/** Processes that ended, or began another program by execve(2), before they were read. */
size_t memoir_idle_vanished(const struct memoir_idle *idle);
size_t memoir_idle_note_count(const struct memoir_idle *idle);
const char *memoir_idle_note(const struct memoir_idle *idle, size_t i);

/** Whether this very process (pid and start) was watched and read. */
bool memoir_idle_knows(const struct memoir_idle *idle, const struct memoir_process *process);

/**
 * @brief The figures of a range of a process, after memoir_idle_read(). A page belongs to the range that has
 *        its first byte. O(log + pages / 64).
 * @return 0; -ESRCH: not watched, or gone; -ENODATA: the means has no pages, and the range is not
 *         made of whole mappings
 */
int memoir_idle_of(const struct memoir_idle *idle, pid_t pid, uint64_t start, uint64_t end,
		   struct memoir_idle_figures *ret_figures);

/**
 * @brief The runs of idle pages of a range, rising; each() ends it by returning other than 0.
 * @return 0, what each() returned, -ESRCH, or -ENODATA: the means has no pages
 */
int memoir_idle_ranges(const struct memoir_idle *idle, pid_t pid, uint64_t start, uint64_t end,
		       int (*each)(uint64_t start, uint64_t end, void *arg), void *arg);

/* ---- rows ------------------------------------------------------------------------------------ */

struct memoir_idle_row {
	struct memoir_subject subject;
	bool known; /**< false: nothing could be told of it */
	struct memoir_idle_figures figures;
};

struct memoir_idle_rows {
	size_t count;
	struct memoir_idle_row *rows; /**< by falling idle_bytes */
	struct memoir_idle_figures total;
};

/**
 * @brief Divide what was read by the regions of a snapshot, which has to be taken after memoir_idle_read().
 *        Regions without anything resident have no row. Strings belong to the snapshot.
 * @return 0; -ENOMEM. Free with memoir_idle_rows_free().
 */
int memoir_idle_rows(const struct memoir_idle *idle, const struct memoir_snapshot *snapshot,
		     const struct memoir_selection *selection, enum memoir_by by,
		     struct memoir_idle_rows *ret_rows);
void memoir_idle_rows_free(struct memoir_idle_rows *rows);

#ifdef __cplusplus
}
#endif

#endif
