/* SPDX-License-Identifier: MIT */
/*
 * The cookie of an address space (mm->mm_lock_seq, by BPF): if it is the same before and after, no mapping
 * changed meanwhile. Needs Linux 6.4 with CONFIG_PER_VMA_LOCK, CAP_BPF, CAP_PERFMON and the initial pid
 * namespace. Faults and hints don't move it; mmap, munmap, mremap, mprotect, fork and collapsing do.
 * 2 ms to load, 1 to 2 µs to read.
 */
#ifndef MEMOIR_KERNEL_COOKIE_H
#define MEMOIR_KERNEL_COOKIE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

struct cookies;
struct memoir_error;

struct cookie {
	uint64_t mm, exec_id;
	uint32_t seq;
};

static inline bool cookie_same(const struct cookie *a, const struct cookie *b)
{
	return a->mm == b->mm && a->exec_id == b->exec_id && a->seq == b->seq;
}

/* Whether it is another address space altogether: exec. */
static inline bool cookie_same_space(const struct cookie *a, const struct cookie *b)
{
	return a->mm == b->mm && a->exec_id == b->exec_id;
}

/* 0; -EOPNOTSUPP: built without BPF, or not there on this kernel; -EPERM; -ENOMEM. */
int cookies_open(const struct kroot *root, struct cookies **ret_cookies,
		 struct memoir_error *error);
void cookies_close(struct cookies *cookies);

/*
 * Where a process's cookie is: its first thread's task. 0; -ESRCH; -EOPNOTSUPP: this kernel has none.
 * The caller has to hold an open /proc/PID file that pins the address space (maps, pagemap) for as long as
 * it reads the cookie, opened before or after, and believes the cookie only if mm and exec_id stay.
 */
int cookies_find(struct cookies *cookies, pid_t pid, uint64_t *ret_task);

/* 0 or negative errno. A number that is odd (a change is under way) compares like any other. */
int cookies_read(struct cookies *cookies, uint64_t task, struct cookie *ret_cookie);

#endif
