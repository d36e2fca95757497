/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory segments, from /proc/sysvipc/shm: those of memoir's own IPC namespace.
 */
#ifndef MEMOIR_KERNEL_SYSV_H
#define MEMOIR_KERNEL_SYSV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

struct sysv_segment {
	uint32_t id; /* shmid, and the inode of its mappings */
	int32_t key;
	int32_t maker_pid; /* 0: of another pid namespace */
	uint32_t maker_uid;
	bool stays; /* when nobody has it attached; false: it is removed then */
	uint64_t size_bytes, resident_bytes, swapped_bytes;
};

/* Call each() for every segment. 0, or -ENOENT where the kernel has none (CONFIG_SYSVIPC). */
int sysv_each(const struct kroot *root, void (*each)(const struct sysv_segment *segment, void *arg),
	      void *arg);

/* Whether a process is in our IPC namespace; else its segments are not in the list. */
bool sysv_shows(const struct kroot *root, pid_t pid);

#endif
