/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What is read of an address space while nobody changes it: by holding its lock, or by looking afterwards whether
 * somebody did, which the kernel counts (mm_lock_seq, odd while it is being changed; Linux 6.14).
 */
#ifndef MEMOIR_WALK_MOMENT_H
#define MEMOIR_WALK_MOMENT_H

static __always_inline u32 read_seq(struct walker *walker, struct mm_struct *mm)
{
	struct mm_struct___int *old = (void *)mm;

	if (bpf_core_field_exists(mm->mm_lock_seq.sequence)) {
		walker->state.seq_kind = 2;
		return mm->mm_lock_seq.sequence;
	}
	if (bpf_core_field_exists(old->mm_lock_seq)) {
		walker->state.seq_kind = 1;
		return old->mm_lock_seq;
	}
	return 0;
}

/*
 * Whether the task still has this address space, and all that was read since walker.seq was taken is of one moment. The
 * task comes first to let go of it: while it has it, what was counted there was not something else's memory.
 */
#if LOCKLESS
ONCE int stands(struct walker *walker NONNULL)
{
	struct task_struct *task = NULL;
	struct mm_struct *mm = NULL;

	return (u32)read_word(walker->mm + bpf_core_field_offset(mm->mm_lock_seq)) == walker->seq &&
	       read_word(walker->task + bpf_core_field_offset(task->mm)) == walker->mm;
}
#else
static __always_inline bool stands(struct walker *walker)
{
	return true;
}
#endif

#endif
