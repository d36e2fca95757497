/* SPDX-License-Identifier: MIT */
/*
 * The device numbers of the kernel's own, unlisted mounts: where memfds, shared anonymous and SysV
 * memory live (shmem), and huge pages without a file (hugetlbfs), learnt from files of our own; and
 * of the mounts of these kinds, and of ramfs, in /proc/PID/mountinfo.
 */
#ifndef MEMOIR_KERNEL_INTERNAL_DEVS_H
#define MEMOIR_KERNEL_INTERNAL_DEVS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/u64map.h"
#include "kernel/root.h"

enum dev_kind { DEV_OTHER, DEV_TMPFS, DEV_HUGETLBFS, DEV_RAMFS };

struct internal_devs {
	uint32_t shmem;      /* major << 20 | minor, as the kernel has it; 0: not known */
	struct u64map kinds; /* device → enum dev_kind, of all mounts seen so far */
};

/* Learn the kernel's own mounts and those of our mount namespace. */
void internal_devs_find(const struct kroot *root, struct internal_devs *devs);

/* If this device is not known yet, learn the mounts that this process sees. */
void internal_devs_learn(const struct kroot *root, struct internal_devs *devs, pid_t pid,
			 uint32_t dev);

void internal_devs_free(struct internal_devs *devs);

bool internal_devs_is_hugetlb(const struct internal_devs *devs, uint32_t dev);
bool internal_devs_is_shmem(const struct internal_devs *devs, uint32_t dev);

/* The magic number of the device's file system if it is tmpfs, hugetlbfs or ramfs, else 0. */
uint32_t internal_devs_magic(const struct internal_devs *devs, uint32_t dev);

#endif
