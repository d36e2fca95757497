/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The kernel's count of changes of an address space, read by the helper: a seqcount since Linux 6.14, before an int, and
 * none before 6.4. Whoever includes it has both kinds of struct mm_struct.
 */
#ifndef MEMOIR_CORE_SEQ_H
#define MEMOIR_CORE_SEQ_H

static __always_inline u32 probe_seq(struct mm_struct *mm)
{
	struct mm_struct___int *old = (void *)mm;

	if (bpf_core_field_exists(mm->mm_lock_seq.sequence))
		return BPF_CORE_READ(mm, mm_lock_seq.sequence);
	if (bpf_core_field_exists(old->mm_lock_seq))
		return BPF_CORE_READ(old, mm_lock_seq);
	return 0;
}

#endif
