// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The walk by the kernel's iterator of VMAs, which holds the mmap lock for reading.
 */
#define LOCKLESS 0
#include "walk_base.h"

/*
 * Neighbours lie under the same table of PMDs. What was found for the last VMA still stands if nobody
 * took the mmap lock for writing since, which is what it takes to free a table.
 */
static __always_inline void keep_or_drop_tables(struct walker *walker, struct mm_struct *mm,
						u32 seq)
{
	if (walker->mm == (u64)mm && walker->state.seq_kind == 2 && walker->seq == seq &&
	    !(seq & 1))
		return;
	walker->mm = (u64)mm;
	walker->seq = seq;
	walker->pgd = read_field(walker, mm, pgd);
	walker->pmds = 0;
}

/* Returning 1 makes the kernel end this read() and begin the next one with the same VMA. */
SEC("iter/task_vma")
int walk_vmas(struct bpf_iter__task_vma *ctx)
{
	struct walker *walker = &walkers[0];
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct arena *arena = stream_arena(&walker->state);
	struct mm_struct *mm;

	if (!task || !vma || !arena)
		return 0;
	mm = vma->vm_mm;
	if (!mm)
		return 0;
	warm(walker, mm, vma->vm_start);
	if (!speaks_for_process(task))
		return 0;
	walker->tgid = task->tgid;
	walker->tid = task->pid;
	walker->start = vma->vm_start;
	walker->steps = STEPS_AT_ONCE;
	keep_or_drop_tables(walker, mm, read_seq(walker, mm));
	look_at(walker, vma);
	return send_vma(walker, arena, mm, vma) ? 1 : 0;
}
