/* SPDX-License-Identifier: MIT */
/*
 * DAMON by sysfs, watching ranges of address spaces (CONFIG_DAMON_VADDR, Linux 5.19; regions told: 6.2).
 * Root only. A kernel thread for each process looks at one page of each of its regions, again and
 * again, and splits and merges regions by what it sees: cheap whatever the size, and an estimate.
 *
 * There is one set of such threads for the whole machine: memoir uses it only where nobody else does,
 * and leaves it as it was.
 */
#ifndef MEMOIR_KERNEL_DAMON_H
#define MEMOIR_KERNEL_DAMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

struct memoir_error;

#define DAMON_PROCESSES_MAX 16

struct damon {
	const struct kroot *root;
	size_t count; /* of kdamonds: one a process */
	uint64_t aggregation_us;
};

/* How many kdamonds run now, whoever started them; 0 also where there is no DAMON. */
unsigned int damon_running(const struct kroot *root);

/* Whether it can watch address spaces: 1, 0, or negative errno: -EBUSY: somebody else uses it. */
int damon_vaddr_works(const struct kroot *root);

struct damon_range {
	uint64_t start, end;
};

/* What of a process is to be watched: ranges that rise and don't meet, at least one. */
struct damon_target {
	pid_t pid;
	struct damon_range *ranges;
	size_t count;
};

/*
 * Begin to watch these for about interval_ns. 0; -EOPNOTSUPP; -EBUSY: somebody else uses DAMON;
 * -E2BIG: more than DAMON_PROCESSES_MAX. error says what would help.
 */
int damon_begin(const struct kroot *root, const struct damon_target *targets, size_t count,
		uint64_t interval_ns, struct damon *ret_damon, struct memoir_error *error);

/*
 * Regions of the i-th process in which no access was seen for at least age_ns. 0, -ESRCH: the process has
 * ended, and with it the watching.
 */
int damon_idle(const struct damon *damon, size_t i, uint64_t age_ns,
	       void (*each)(uint64_t start, uint64_t end, void *arg), void *arg);

/* Stop watching and take the kdamonds away. */
void damon_end(struct damon *damon);

#endif
