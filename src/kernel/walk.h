/* SPDX-License-Identifier: MIT */
/*
 * Tasks, VMAs and page tables read by BPF programs, as a stream of callbacks. Tasks, and VMAs under the mmap lock, by
 * iterators (bpf/tasks.bpf.c, walk_locked.bpf.c); VMAs without locks by a program that is called for one task after the
 * other (walk_lockless.bpf.c, by BPF_PROG_RUN), by the calling thread and one of the walk's own at the same time.
 *
 * Needs Linux 5.17 (bpf_loop, light skeletons), CAP_BPF, CAP_PERFMON, and the initial pid namespace.
 * Page tables need x86-64 besides, and to have been calibrated: the address of the direct map is
 * found from kernel objects whose pages /proc/kpageflags calls slab, then proven on a page of our own.
 * Costs: 3 to 12 ms to load once, with two threads; 0.2 µs a task, 0.3 µs a VMA, 1 ns a page table entry; without locks
 * about half of that for VMAs and entries of many processes where two CPUs are free.
 */
#ifndef MEMOIR_KERNEL_WALK_H
#define MEMOIR_KERNEL_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/root.h"

typedef uint32_t u32;
typedef uint64_t u64;

#include "kernel/walk_format.h"

struct walk;
struct memoir_error;

/* What a walk hands out, of a process in order; texts and entries are good during the call only. */
struct walk_visitor {
	/* object: NULL for none. path: "" for none; name: NULL for none. Both NUL-terminated. */
	void (*vma)(const struct walk_vma *vma, const struct walk_object *object, const char *path,
		    const char *name, void *arg);
	/* Of the last VMA: page table entries for 4 KiB each from addr on. NULL where tables are off. */
	void (*table)(uint64_t addr, const uint64_t *entries, size_t count, void *arg);
	/* One entry that stands for span_bytes: present and large, or not present. */
	void (*huge)(uint64_t addr, uint64_t entry, uint64_t span_bytes, void *arg);
	/*
	 * The last VMA is where a name table is found, and all of it is at hand that its ranges need. NULL: not looked
	 * for, as by any walk but WALK_NAMED_REGIONS. It may come again, and of no table it has to: what is large, swapped
	 * out or being changed does not.
	 * names_epoch: of a table that has not changed since it came in a walk of the same epoch only the header; 0: all.
	 */
	void (*names)(const struct walk_names *names, void *arg);
	uint32_t names_epoch;
	/*
	 * What the kernel counts of the address space that comes next. Not NULL: mappings that have but private
	 * anonymous memory which no other process can have are passed over, as far as these counters tell it, but for
	 * the first mapping of each process. May not be called at all, and nothing is passed over then. WALK_SUMS.
	 */
	void (*counters)(const struct walk_counters *counters, void *arg);
	/* Of regular files of file systems that are not made of memory no paths are asked for: "". */
	bool few_paths;
	/* NULL, or called once before all others; the walk goes on meanwhile, if a thread walks. Not 0: ends it. */
	int (*begun)(void *arg);
};

/*
 * Which program visits VMAs: what one could do takes its time to load also where nobody asks for it. What the kernel
 * refuses is replaced by a walk of regions; a walk under locks is always one of these.
 */
enum walk_program {
	WALK_REGIONS,       /* VMAs, with their files, paths, names and labels */
	WALK_NAMED_REGIONS, /* and with small name tables: loaded in 1 ms more */
	/*
	 * Counters, but no names, and not in WALK_LISTED_OBJECTS; in WALK_LISTED_MMS those are visited that had such an mm
	 * when they were listed, whatever they have now. Loaded in 0.6 ms less.
	 */
	WALK_SUMS,
};

/* What can be done with tasks alone: only walk_tasks() works. */
typedef void (*walk_meanwhile_fn)(struct walk *walk, void *arg);

/*
 * Load the programs. The one for tasks works long before the one for VMAs: meanwhile (may be NULL) is then called,
 * from another thread, which has ended on return. -EOPNOTSUPP: built without BPF, or the kernel lacks what is
 * needed; -EPERM; -ENOMEM. On failure error (may be NULL) says which; meanwhile may have been called all the same.
 */
int walk_open(const struct kroot *root, enum walk_program program, walk_meanwhile_fn meanwhile,
	      void *arg, struct walk **ret_walk, struct memoir_error *error);
void walk_close(struct walk *walk);

/* The same by the mmap lock of each process, as before Linux 6.14. */
int walk_open_locked(const struct kroot *root, struct walk **ret_walk, struct memoir_error *error);

/* Which program it was that was loaded. */
enum walk_program walk_loaded(const struct walk *walk);

/* Whether page tables can be read: proves it at the first call. 0, or -EOPNOTSUPP. */
int walk_calibrate(struct walk *walk, const struct kroot *root);

/* 2: mm_lock_seq is a seqcount that is odd while held; 1: an older kernel's int; 0: none. */
int walk_seq_kind(const struct walk *walk);

/* Whether the kernel lets programs read through addresses that they declare to be a structure's: Linux 6.2. */
bool walk_casts(const struct walk *walk);

/* Whether VMAs and page tables are read without the mmap lock: Linux 6.14, CAP_SYS_PTRACE. */
bool walk_is_lockless(const struct walk *walk);

/* Whether counters are told of where page tables can be read (walk_visitor.counters): WALK_SUMS, at most 32 CPUs. */
bool walk_has_counters(const struct walk *walk);

/* List the tasks that speak for processes; task: NULL if nobody else wants to know of them. */
int walk_tasks(struct walk *walk, void (*task)(const struct walk_task *task, void *arg), void *arg);

/*
 * Whether walk_tasks() lists the open files that matter, too (kernel/files.h), 0.1 µs for each fd of the machine; those
 * that it listed are there until it is called again.
 */
void walk_want_files(struct walk *walk, bool wanted);

/* Empty or add to the list that a scope other than WALK_ALL goes by: mm, mapping and root addresses. */
int walk_wanted_clear(struct walk *walk);
int walk_wanted_add(struct walk *walk, uint64_t key);

/*
 * Visit the VMAs in scope, of one process after the other; with their page tables if tables is set. All callbacks come
 * from the calling thread. Without locks it visits whom walk_tasks() listed last, however long ago that was, or lists
 * anew if there was a walk of all since; processes come in no order, those that were born since not at all, and those
 * that have called exec with their new mm.
 */
int walk_vmas(struct walk *walk, enum walk_scope scope, bool tables,
	      const struct walk_visitor *visitor, void *arg);

/*
 * The same for one process, whose mm must be listed; costs nothing for the others. Nothing is visited if it has another
 * mm by now. -EINVAL before Linux 6.1: then walk_vmas() with WALK_LISTED_MMS does it.
 */
int walk_vmas_of(struct walk *walk, pid_t pid, bool tables, const struct walk_visitor *visitor,
		 void *arg);

#endif
