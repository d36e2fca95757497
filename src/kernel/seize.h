/* SPDX-License-Identifier: MIT */
/*
 * Holding processes still by ptrace: PTRACE_SEIZE and PTRACE_INTERRUPT of every thread. Their parents see nothing,
 * and the kernel lets them go when the tracer ends, however it ends. The calling thread is the tracer: it
 * has to be the one that lets go. Needs PTRACE_MODE_ATTACH, and that nobody else traces them.
 */
#ifndef MEMOIR_KERNEL_SEIZE_H
#define MEMOIR_KERNEL_SEIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "kernel/root.h"

struct seized_thread {
	pid_t tid;
	bool still;
	int signal; /* that was about to be delivered, or 0 */
};

/* All zero is nothing. */
struct seized {
	struct seized_thread *threads;
	size_t count, room;
};

/*
 * Stop all threads of a process, those too that are made meanwhile. 0; -EBUSY: somebody else traces it; -ETIMEDOUT:
 * a thread does not stop (it waits uninterruptibly); -ESRCH, -EPERM. On failure what was stopped stays so,
 * for seize_release(). Threads that wait in vfork(2) stand still until their child has gone.
 */
int seize_process(struct seized *seized, const struct kroot *root, pid_t pid);

/* Let all of them run on, with the signals that were on their way; stopped ones stay stopped. */
void seize_release(struct seized *seized);
void seize_free(struct seized *seized);

#endif
