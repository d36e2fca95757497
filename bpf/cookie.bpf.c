// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The cookie of an address space: numbers that differ when its mappings have changed. The iterator finds
 * where they are, the second program reads them, in about a microsecond. They only read.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

typedef __u32 u32;
typedef __u64 u64;

#include "cookie_format.h"

#ifndef NULL
#define NULL ((void *)0)
#endif

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct;
struct bpf_iter_meta;
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	unsigned int sequence;
} seqcount_t;

struct mm_struct {
	seqcount_t mm_lock_seq;
};

struct mm_struct___int {
	int mm_lock_seq;
};

struct task_struct {
	struct mm_struct *mm;
	u64 self_exec_id;
};

#pragma clang attribute pop

#include "core_seq.h"

struct cookie_found found;

static __always_inline u32 seq_kind(struct mm_struct *mm)
{
	if (bpf_core_field_exists(mm->mm_lock_seq.sequence))
		return 2;
	return bpf_core_field_exists(((struct mm_struct___int *)mm)->mm_lock_seq) ? 1 : 0;
}

/* The link says which task. */
SEC("iter/task")
int cookie_find(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	found.task = (u64)task;
	found.mm = (u64)BPF_CORE_READ(task, mm);
	found.kind = seq_kind((void *)found.mm);
	return 0;
}

/*
 * The task may be gone, and its memory used for another: each read is fault-protected, and what comes out
 * is compared with the address space that the caller keeps from being freed.
 */
SEC("syscall")
int cookie_read(struct cookie_query *query)
{
	struct task_struct *task = (void *)query->task;
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	query->mm = (u64)mm;
	query->exec_id = BPF_CORE_READ(task, self_exec_id);
	query->seq = probe_seq(mm);
	return 0;
}
