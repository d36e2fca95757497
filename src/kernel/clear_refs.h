/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/clear_refs: forget which pages of a process were used, so that what is used from now on shows.
 * Needs write access to the file (the same user, or CAP_DAC_OVERRIDE) and CONFIG_PROC_PAGE_MONITOR.
 *
 * Both hold the process's mmap lock for writing while all its pages are walked (7 ms a GiB of 4 KiB
 * pages): it cannot map, unmap or fault meanwhile. There is no way to do it in slices.
 */
#ifndef MEMOIR_KERNEL_CLEAR_REFS_H
#define MEMOIR_KERNEL_CLEAR_REFS_H

#include <sys/types.h>

#include "kernel/root.h"

enum clear_refs {
	/* The accessed bits of page table entries, and the folios' "referenced": what reclaim goes by. */
	CLEAR_REFS_ACCESSED = 1,
	/* The soft-dirty bits: writes fault once a page. A kernel without them does nothing, and says so not. */
	CLEAR_REFS_SOFT_DIRTY = 4,
};

/* 0; -EACCES; -ENOENT: the process is gone, or the kernel has no such file; -ESRCH. */
int clear_refs(const struct kroot *root, pid_t pid, enum clear_refs what);

/* Whether the kernel has soft-dirty bits, tried on a page of our own. 1, 0, or negative errno. */
int clear_refs_soft_dirty_works(const struct kroot *root);

#endif
