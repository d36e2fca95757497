/* SPDX-License-Identifier: MIT */
/*
 * The VMAs that may map one page, by the kernel's own reverse map, read by BPF (bpf/who.bpf.c).
 *
 * Needs what kernel/walk.h needs, but x86-64 only to begin at a frame. What is found may be stale or
 * lack something, because nothing is locked meanwhile: whoever asks compares the entries of page tables
 * that come along with what the kernel counts, and where that differs, asks pagemap.
 * Costs: 2 to 6 ms to load once; 30 µs a question and 0.5 µs a VMA.
 */
#ifndef MEMOIR_KERNEL_MAPPERS_H
#define MEMOIR_KERNEL_MAPPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

typedef uint32_t u32;
typedef uint64_t u64;

#include "kernel/mappers_format.h"

struct mappers;
struct memoir_error;

/* Load the program. -EOPNOTSUPP, -EPERM, -ENOMEM as walk_open(). */
int mappers_open(const struct kroot *root, struct mappers **ret_mappers,
		 struct memoir_error *error);
void mappers_close(struct mappers *mappers);

struct mappers_answer {
	uint64_t index; /* of the page in its object or family, in pages */
	bool torn;      /* something is missing */
	bool merged;    /* MAPPERS_FRAME: the page says that KSM merged it */
};

/* name: NULL for none. Good during the call only. */
typedef void (*mapper_fn)(const struct mapper_record *record, const char *name, void *arg);

/*
 * The VMA of a process at addr, and those that may map the same page: of its file (MAPPERS_OBJECT) or
 * of its anonymous family (MAPPERS_FAMILY); the one at addr comes first, and once more among the others.
 * 0; -ESRCH: there is no such process, or it has no memory; -ENOENT: nothing is mapped there; -EBUSY: its
 * mmap lock could not be had.
 */
int mappers_at(struct mappers *mappers, pid_t pid, uint64_t addr, enum mappers_question question,
	       mapper_fn each, void *arg, struct mappers_answer *ret_answer);

/*
 * Whether mappers_of_frame() works: finds the array of struct page at the first call, and the direct map,
 * without which records have no entries. 0 or -EOPNOTSUPP.
 */
int mappers_calibrate(struct mappers *mappers, const struct kroot *root);

/* Those that may map what a frame holds; none where it is of no file and no family (KSM, the kernel). */
int mappers_of_frame(struct mappers *mappers, uint64_t frame, mapper_fn each, void *arg,
		     struct mappers_answer *ret_answer);

#endif
