/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The kernel's structures as far as watch.h reads them; CO-RE finds the offsets. Nothing else goes here.
 */
#ifndef MEMOIR_WATCH_KERNEL_H
#define MEMOIR_WATCH_KERNEL_H

#ifndef NULL
#define NULL ((void *)0)
#endif

struct mm_struct;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* x86-64: they keep a system call's arguments until it has returned. */
struct pt_regs {
	unsigned long r10, r9, r8, dx, si, di, orig_ax;
};

struct thread_info {
	u32 status;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

struct task_struct {
	struct thread_info thread_info;
	int tgid;
	u64 start_boottime;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	struct signal_struct *signal;
	char comm[16];
};

#pragma clang attribute pop

#endif
