/* SPDX-License-Identifier: MIT */
/*
 * Cgroups of version 2: where a process is, who is with it, holding them still (Linux 5.2), and memory.reclaim
 * (5.19). A process is never moved from one to another: that can take half a minute.
 */
#ifndef MEMOIR_KERNEL_CGROUP_H
#define MEMOIR_KERNEL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

#define CGROUP_PATH_MAX 4096

/* Where the hierarchy is mounted, below the root: "sys/fs/cgroup"; NULL: it is not. */
const char *cgroup2_dir(const struct kroot *root);

/* The path of a process's cgroup, "/" for the root. 0; -ENODATA: there is no version 2; -ESRCH. */
int cgroup2_path(const struct kroot *root, pid_t pid, char *buf, size_t size);

/* Call each() for every process in it, not below it, until that returns other than 0. */
int cgroup2_each(const struct kroot *root, const char *path, int (*each)(pid_t pid, void *arg),
		 void *arg);

/* Whether there are no cgroups below it. */
bool cgroup2_is_leaf(const struct kroot *root, const char *path);

/* 1: it or one above it is (being) frozen, 0: not, or negative errno; the root can't be. */
int cgroup2_frozen(const struct kroot *root, const char *path);

/* Open its cgroup.freeze. fd, -EACCES … */
int cgroup2_freezer(const struct kroot *root, const char *path);
/* Write to that. 0 or negative errno. */
int cgroup2_freeze(int freezer, bool freeze);
/* Wait until all in it stand still. 0 or -ETIMEDOUT. */
int cgroup2_wait_frozen(const struct kroot *root, const char *path, unsigned int ms);

/*
 * Have the kernel reclaim this much of it. 0; -EAGAIN: it was less; -ENOENT: no memory controller, or too old;
 * -EINTR: by a signal; -EACCES …
 */
int cgroup2_reclaim(const struct kroot *root, const char *path, uint64_t bytes);
/* memory.current and memory.swap.current; what can't be read is UINT64_MAX. */
void cgroup2_usage(const struct kroot *root, const char *path, uint64_t *ret_ram_bytes,
		   uint64_t *ret_swap_bytes);

#endif
