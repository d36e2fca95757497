/* SPDX-License-Identifier: MIT */
/*
 * process_madvise(2) on other processes. Linux 5.10; needs CAP_SYS_NICE in the initial user namespace and
 * PTRACE_MODE_READ. What it returns says nothing about what moved.
 */
#ifndef MEMOIR_KERNEL_HINT_H
#define MEMOIR_KERNEL_HINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "kernel/root.h"

#define HINT_RANGES_MAX 1024
/* The kernel cuts a call silently at this many bytes. */
#define HINT_BYTES_MAX 2147479552ull

enum hint_advice {
	HINT_ADVICE_WILLNEED = 3,
	HINT_ADVICE_COLD = 20,
	HINT_ADVICE_PAGEOUT = 21,
	HINT_ADVICE_COLLAPSE = 25, /* Linux 6.1 */
};

static inline struct iovec hint_range(uint64_t start, uint64_t end)
{
	return (struct iovec){ (void *)(uintptr_t)start, (size_t)(end - start) };
}

/*
 * Give the hint. Returns the bytes of the ranges done, in order: fewer than all say that the next one failed;
 * calling again from it on tells how. -ESRCH: ended; -EPERM, -EACCES: not allowed; -ENOMEM: a hole in the
 * first range, the rest of which is done all the same; -EINVAL: locked, or device memory.
 */
ssize_t hint_give(int pidfd, const struct iovec *ranges, size_t count, enum hint_advice advice);

/*
 * Pages that a CPU has faulted in last wait in a batch of its own, where no hint reaches them: empty those
 * of all CPUs this thread may run on, by visiting each with a hint about a page of our own.
 */
void hint_drain_batches(void);

/*
 * Whether the caller may page out a file that a process maps: it owns it, may write it, or has CAP_FOWNER.
 * False also where that can't be found out.
 */
bool hint_may_page_file(const struct kroot *root, pid_t pid, const char *path, uint32_t dev_major,
			uint32_t dev_minor, uint64_t inode);

#endif
