/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the two walks of VMAs have in common: all but how they come by a VMA. Before it is included LOCKLESS says
 * which of them it is, NAMES whether it sends name tables, and SUMS whether it is for sums only. They write VMAs and
 * copies of page tables into an array that user space maps; they only read, and what a page table entry means is
 * decided in user space.
 *
 * The copying is safe: programs run under RCU (which is what page tables are freed by), every read is
 * fault-protected, and physical addresses beyond the end of memory are refused.
 */
#ifndef MEMOIR_WALK_BASE_H
#define MEMOIR_WALK_BASE_H

#ifndef NAMES
#define NAMES 0
#endif
#ifndef SUMS
#define SUMS 0
#endif

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

typedef __u32 u32;
typedef __u64 u64;

#include "walk_format.h"
#include "walk_kernel.h"

#define STREAM_ARENAS (WALK_ARENAS + 1) /* that of the second walker */
#define STREAM_BYTES WALK_ARENA_BYTES
#define STREAM_SLACK_BYTES WALK_SLACK_BYTES
#include "walk_stream.h"

struct walk_config config;
struct walker walkers[WALK_WALKERS];
struct walk_layout layout; /* found by tasks.bpf.c */

/* Call step(i, &walker) as often, or until it returns 1; the kernel wants what it is given to be on the stack. */
#define repeat(walker, times, step)                  \
	do {                                         \
		struct walker *self = (walker);      \
		bpf_loop((times), (step), &self, 0); \
	} while (0)

/* The same for what sends records: step(i, &turn). */
struct turn {
	struct walker *walker;
	struct arena *arena;
};

#define repeat_with(walker, arena, times, step)       \
	({                                            \
		struct turn turn = { walker, arena }; \
		bpf_loop((times), (step), &turn, 0);  \
	})

/*
 * A global function is verified once, and not for each call; and an argument that may not be NULL can be said to be that
 * since Linux 6.8. The walk that takes locks has to do before.
 */
#if LOCKLESS
#define ONCE __attribute__((noinline))
#define NONNULL __attribute__((btf_decl_tag("arg:nonnull")))
#else
#define ONCE static __always_inline
#define NONNULL
#endif

#include "walk_read.h"
#include "walk_moment.h"
#include "walk_leader.h"
#include "walk_tables.h"
#include "walk_warm.h"
#include "walk_anon.h"
#include "walk_paths.h"
#if !SUMS
#include "walk_scope.h"
#endif
#if NAMES
#include "walk_names.h"
#endif
#include "walk_vma.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#endif
