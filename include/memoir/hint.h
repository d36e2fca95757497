/* SPDX-License-Identifier: MIT */
/**
 * Hints: telling the kernel what a process will not need soon (or soon will), from outside it.
 *
 *     plan → apply → verify
 *
 * A **plan** says from a snapshot what would be hinted, how many bytes of it can move, and what is left out
 * and why. **Apply** gives the hints, in slices, so that nobody has to wait long for the target's mmap
 * lock, and by one of three ways to meet the race: the target goes on running, and may have mapped something
 * else by the time a hint arrives. **Verify** counts what really moved: what process_madvise(2) returns does not
 * tell. Each is of use alone.
 *
 * Kernel: process_madvise(2), Linux 5.10, and pidfd_open(2), 5.3. Privileges: PTRACE_MODE_READ of the target and
 * CAP_SYS_NICE in the initial user namespace; how much may be seen besides is as for a capture. Nothing
 * here needs to be setuid.
 */
#ifndef MEMOIR_HINT_H
#define MEMOIR_HINT_H

#include <memoir/select.h>

#ifdef __cplusplus
extern "C" {
#endif

enum memoir_hint {
	MEMOIR_HINT_COLD, /**< MADV_COLD: first in line when memory is short; nothing moves now */
	MEMOIR_HINT_PAGEOUT,  /**< MADV_PAGEOUT: to swap, or back to the file, now */
	MEMOIR_HINT_WILLNEED, /**< MADV_WILLNEED: begin to read it back, into the (swap) cache */
	MEMOIR_HINT_COLLAPSE, /**< MADV_COLLAPSE (Linux 6.1): into huge pages, now */
	MEMOIR_HINTS,
};

/** "cold", "pageout", "willneed", "collapse"; NULL for an unknown value. */
const char *memoir_hint_name(enum memoir_hint hint);

/** Why memory that is meant is not hinted, or not expected to move. */
enum memoir_skip {
	MEMOIR_SKIP_SHARED,  /**< mapped more than once: the kernel passes it over */
	MEMOIR_SKIP_LOCKED,  /**< mlock(2) */
	MEMOIR_SKIP_PFNMAP,  /**< device memory and the kernel's own pages; bytes that are mapped */
	MEMOIR_SKIP_HUGETLB, /**< pages of hugetlb are never swapped */
	MEMOIR_SKIP_FILE,    /**< pages of a file that the caller neither owns nor may write */
	MEMOIR_SKIP_NO_SWAP, /**< there is not so much swap free */
	MEMOIR_SKIP_OUT,     /**< swapped out already */
	MEMOIR_SKIP_LIMIT,   /**< more than max_bytes */
	MEMOIR_SKIP_UNFIT,   /**< the hint does nothing to memory of this kind */
	MEMOIR_SKIP_UNKNOWN, /**< could not be read; 0 bytes are given where not even its size is known */
	/* From here on found while hints were given. */
	MEMOIR_SKIP_CHANGED, /**< no longer mapped as it was when the plan was made */
	MEMOIR_SKIP_REFUSED, /**< the kernel said EINVAL: locked since, or of a kind that takes no hints */
	MEMOIR_SKIP_BUSY, /**< the kernel said EAGAIN, EBUSY or ENOMEM, without a hole being there */
	MEMOIR_SKIP_STOPPED, /**< not done when it was told to stop, or failed */
	MEMOIR_SKIPS,
};

/** "shared", "locked", …, in outputs; NULL for an unknown value. */
const char *memoir_skip_name(enum memoir_skip skip);
/** The same as a sentence's part, for people: "mapped more than once". */
const char *memoir_skip_text(enum memoir_skip skip);

/* ---- plan ------------------------------------------------------------------------------------ */

/** Part of a process's address space. */
struct memoir_span {
	pid_t pid;
	uint64_t start, end; /**< cut inwards to whole pages */
};

struct memoir_plan_options {
	size_t sz;
	enum memoir_hint hint;
	uint64_t max_bytes; /**< plan at most so many bytes; 0: no limit */
	/** Only what lies in one of these as well, in any order; NULL: no such restriction. */
	const struct memoir_span *only;
	size_t only_count;
	/** Pages that several map count as if they moved: for memoir_reclaim(), which moves them. */
	bool shared;
};

/** Memory to be hinted: (part of) one region. */
struct memoir_plan_range {
	uint64_t start, end;
	uint32_t process;   /**< index into the plan's processes */
	uint8_t kind;       /**< enum memoir_kind */
	char perms[5];      /**< of its mapping, by which it is known again */
	uint32_t dev_major; /**< the same: of its file; 0 without */
	uint32_t dev_minor;
	uint64_t inode;
	uint64_t offset_bytes;   /**< of start, into the file */
	const char *name;        /**< its name, its file's path, or its kind in brackets */
	uint64_t planned_bytes;  /**< what is expected to move */
	uint64_t resident_bytes; /**< what was in RAM at capture, planned or not */
};

struct memoir_plan_process {
	pid_t pid;
	uint64_t start_ticks; /**< with the pid: which process is meant */
	uint64_t stack_start; /**< which program: where exec(2) put its stack; 0: not known */
	const char *comm;
	uint32_t first_range, range_count;
	uint64_t planned_bytes;
	uint64_t swap_needed_bytes; /**< the part of it that goes to swap */
	uint64_t skipped_bytes[MEMOIR_SKIPS];
	bool skipped[MEMOIR_SKIPS]; /**< also where nothing is known but that it is so */
};

/** Does not refer to the snapshot: that may be freed. Strings belong to the plan. */
struct memoir_plan {
	enum memoir_hint hint;
	size_t process_count;
	struct memoir_plan_process *processes; /**< those that are meant, also with nothing to do */
	size_t range_count;
	struct memoir_plan_range *ranges; /**< by process, then address */
	uint64_t planned_bytes;
	uint64_t swap_needed_bytes;
	bool swap_free_known;
	uint64_t swap_free_bytes; /**< at capture */
	bool zram_known;          /**< swap is in zram, and something is stored there to go by */
	uint64_t
		zram_estimate_bytes; /**< RAM that what goes to swap will take, by the mean ratio */
};

/**
 * @brief Plan a hint for the regions that a selection means (`PID:START-END` cuts them).
 *
 * What can move is what is mapped once; how much that is comes from the snapshot's sharing sets. Only
 * parts of regions, and the one that a limit cuts, have their pages read again. /proc/PID/status is read for
 * each process, and smaps where it says that memory is locked.
 * Without sets (options.without_sets, engine smaps) the figure is uss, which is the same but for large folios.
 * Cost: O(regions + sets), and some 20 µs for each process meant.
 * @param options NULL: page out, no limits
 * @param ret_plan owned by the caller: memoir_plan_free()
 * @return 0; -E2BIG: options from a newer version; -EINVAL: no such hint; -ENOMEM. Processes that are gone are
 *         not in the plan.
 */
int memoir_plan(struct memoir *memoir, const struct memoir_snapshot *snapshot,
		const struct memoir_selection *selection, const struct memoir_plan_options *options,
		struct memoir_plan **ret_plan, struct memoir_error *error);
void memoir_plan_free(struct memoir_plan *plan);

/* ---- apply ----------------------------------------------------------------------------------- */

/** How the race with the target is met. */
enum memoir_guard {
	/**
	 * Mappings are looked at before each call, and what changed is left out; a number that every change of
	 * the address space moves (the cookie: BPF, Linux 6.4) is read before and after, and a call during
	 * which it moved is reported as raced: all that hit other memory than was meant are among
	 * these. Where there is no cookie the mappings are looked at again after the call; then memory
	 * that went and came back within the call's time is not noticed.
	 */
	MEMOIR_GUARD_CHECK,
	/**
	 * The target stands still during each call, with all that share its address space: by its cgroup's
	 * freezer, else ptrace, else SIGSTOP. No memory but what is meant is hinted.
	 */
	MEMOIR_GUARD_FREEZE,
	MEMOIR_GUARD_RACE, /**< neither: mappings are looked at once, at the beginning */
	MEMOIR_GUARDS,
};

/** "check", "freeze", "race"; NULL for an unknown value. */
const char *memoir_guard_name(enum memoir_guard guard);

/** How a target was held still. */
enum memoir_hold {
	MEMOIR_HOLD_NONE,
	MEMOIR_HOLD_CGROUP,  /**< cgroup.freeze, of a cgroup of version 2 that holds only targets */
	MEMOIR_HOLD_PTRACE,  /**< PTRACE_SEIZE and PTRACE_INTERRUPT */
	MEMOIR_HOLD_SIGSTOP, /**< where it was being traced already; its parent is told */
	MEMOIR_HOLDS,
};

/** "cgroup", "ptrace", "sigstop"; NULL for MEMOIR_HOLD_NONE and unknown values. */
const char *memoir_hold_name(enum memoir_hold hold);

/** One call of process_madvise(2), after it was made. */
struct memoir_hint_call {
	pid_t pid;
	uint32_t ranges;     /**< how many were given */
	uint64_t start, end; /**< from the first's start to the last's end */
	uint64_t bytes;
	bool raced; /**< mappings changed while it was made, so that it may have hit others */
};

struct memoir_apply_options {
	size_t sz;
	enum memoir_guard guard;
	/** No pauses between calls, and longer calls: as fast as it goes. */
	bool without_pauses;
	uint64_t rate_bytes; /**< at most so many bytes per second; 0: no limit */
	/**
	 * How long a call may take, about. 0: 0.25 ms, with MEMOIR_GUARD_FREEZE 5 ms, without pauses 20 ms; where
	 * looking at the mappings takes longer, as long as that, up to 1 ms.
	 */
	uint64_t slice_ns;
	uint64_t
		slice_bytes; /**< at most so many bytes a call, rounded up to a page; 0: by slice_ns */
	/** NULL, or asked before each call and in pauses: true ends it, and the result says so. */
	bool (*stop)(void *arg);
	void *stop_arg;
	/** NULL, or told of each call; from the calling thread, the target may be standing still. */
	void (*called)(const struct memoir_hint_call *call, void *arg);
	void *called_arg;
};

/** What was done to one process of the plan; the same index. */
struct memoir_applied_process {
	uint64_t hinted_bytes; /**< bytes that were in RAM (of willneed: in swap, or of the file) */
	uint64_t hinted_ranges; /**< given to the kernel; pieces of the plan's ranges */
	uint64_t raced_ranges;  /**< those in calls that raced */
	uint64_t calls;
	uint64_t raced_calls;
	uint64_t held_ns;      /**< how long it stood still, in all */
	uint64_t held_most_ns; /**< and at most at one time */
	enum memoir_hold hold;
	bool cookie;                          /**< the address space's cookie could be read */
	uint64_t skipped_bytes[MEMOIR_SKIPS]; /**< what the plan had not foreseen */
	bool ended;                           /**< it was gone, or is another program now: exec */
	bool guard_ended; /**< somebody ended the guard process; the target runs on all the same */
	struct memoir_error error; /**< code 0: nothing went wrong */
};

struct memoir_applied {
	size_t process_count;
	struct memoir_applied_process *processes;
	bool stopped; /**< by options.stop */
	bool failed;  /**< a process has an error */
	uint64_t wall_ns;
	uint64_t cpu_ns; /**< of the calling thread: the kernel's work for the hints is in it */
	uint64_t paused_ns;
};

/**
 * @brief Give the hints of a plan. An error with one process is kept with it, and the others go on.
 *
 * For each process: a pidfd is opened, then its mappings are read, then it is checked that the pid still is
 * the one that was planned for. Ranges are cut at the bounds of mappings, at most 1,024 and 2 GiB a call.
 * What a call left undone is carried on exactly. Pages in the batches of other CPUs are asked for once more.
 * PAGEOUT of a page that somebody uses brings it back at once by a fault: that costs time, nothing else.
 * Side effects on a target that is held still: system calls that wait may return EINTR (epoll_wait(2), see
 * signal(7)). With SIGSTOP its parent gets SIGCHLD twice. A process that was stopped stays stopped. If memoir
 * is killed, all targets run on: the kernel ends ptrace, a guard process thaws cgroups and sends SIGCONT. Only who
 * kills that one too, in the same moment, has to write 0 into cgroup.freeze, or send SIGCONT, himself.
 * Threads: the calling thread becomes the tracer while it holds a target, and visits other CPUs for a moment.
 * @param options NULL: MEMOIR_GUARD_CHECK, with pauses
 * @param ret_applied owned by the caller: memoir_applied_free()
 * @return 0, also where processes failed or ended; -E2BIG; -EINVAL; -ENOMEM; -EOPNOTSUPP: the context is
 *         one of a captured tree
 */
int memoir_apply(struct memoir *memoir, const struct memoir_plan *plan,
		 const struct memoir_apply_options *options, struct memoir_applied **ret_applied,
		 struct memoir_error *error);
void memoir_applied_free(struct memoir_applied *applied);

/* ---- what is shared -------------------------------------------------------------------------- */

struct memoir_reclaim_options {
	size_t sz;
	uint64_t max_bytes;      /**< at most so many bytes of all together; 0: all that goes */
	bool dry_run;            /**< only find the cgroups */
	bool (*stop)(void *arg); /**< as in struct memoir_apply_options */
	void *stop_arg;
};

/** A cgroup of version 2 that has processes of a selection. */
struct memoir_reclaimed_cgroup {
	const char *path;   /**< below the hierarchy's root */
	uint32_t processes; /**< of the selection */
	bool whole;         /**< all its processes are meant, and there are no cgroups below it */
	bool usage_known;
	uint64_t before_bytes, after_bytes; /**< memory.current */
	bool swap_known;
	uint64_t swap_before_bytes, swap_after_bytes; /**< memory.swap.current */
	struct memoir_error error;                    /**< code 0: nothing went wrong */
};

struct memoir_reclaimed {
	size_t cgroup_count;
	struct memoir_reclaimed_cgroup *cgroups; /**< by path */
	bool stopped, failed;
};

/**
 * @brief Have the kernel reclaim memory of whole cgroups (memory.reclaim, Linux 5.19): also pages that several of
 *        their processes share, which no hint moves. It takes what it finds coldest, and page cache first.
 *
 * Only cgroups all of whose processes are meant; others are in the result with whole = false, and nothing is done to
 * them. Needs write access to memory.reclaim, and the memory controller of version 2.
 * @param selection of whole processes: regions make no sense here
 * @param options NULL: all that goes
 * @param ret_reclaimed owned by the caller: memoir_reclaimed_free()
 * @return 0, also where cgroups failed; -EINVAL: the selection speaks of regions; -E2BIG; -ENOMEM;
 *         -EOPNOTSUPP: there is no hierarchy of version 2, or the context is one of a captured tree
 */
int memoir_reclaim(struct memoir *memoir, const struct memoir_snapshot *snapshot,
		   const struct memoir_selection *selection,
		   const struct memoir_reclaim_options *options,
		   struct memoir_reclaimed **ret_reclaimed, struct memoir_error *error);
void memoir_reclaimed_free(struct memoir_reclaimed *reclaimed);

/* ---- verify ---------------------------------------------------------------------------------- */

/** What of a range is where. */
struct memoir_residence {
	bool known; /**< false: the process is gone, or may not be looked at */
	uint64_t resident_bytes;
	uint64_t swapped_bytes; /**< anonymous memory; shmem in swap can't be seen here */
	uint64_t huge_bytes;    /**< of the resident: mapped by huge pages */
	bool huge_known;        /**< huge_bytes: PAGEMAP_SCAN tells (Linux 6.7) */
};

/**
 * @brief Count the pages of each range of a plan now. Needs no privileges but PTRACE_MODE_READ.
 *        Cost: 12 ns a page by PAGEMAP_SCAN (Linux 6.7), else 30 to 70; 0.2 ns where pages are huge.
 * @param ret_residences one for each range, to be freed by free()
 * @return 0; -ENOMEM
 */
int memoir_plan_measure(struct memoir *memoir, const struct memoir_plan *plan,
			struct memoir_residence **ret_residences, struct memoir_error *error);

/** What moved of one process of a plan, between two measurements. */
struct memoir_moved {
	bool known; /**< false: not measured, or a hint whose effect page tables don't show */
	uint64_t moved_bytes;  /**< pageout: fewer in RAM; collapse: more in huge pages */
	uint32_t moved_ranges; /**< in how many of the plan's ranges */
};

/**
 * @brief What moved of a process: its ranges summed up. What grew elsewhere meanwhile is not set off.
 *        Pure; O(ranges). MEMOIR_HINT_COLD and _WILLNEED can't be seen in page tables: not known.
 */
void memoir_plan_moved(const struct memoir_plan *plan, size_t process,
		       const struct memoir_residence *before, const struct memoir_residence *after,
		       struct memoir_moved *ret_moved);

#ifdef __cplusplus
}
#endif

#endif
