/* SPDX-License-Identifier: MIT */
/*
 * PROCMAP_QUERY (Linux 6.11): one mapping of a process without reading the others. About 0.5 µs.
 */
#ifndef MEMOIR_KERNEL_PROCMAP_H
#define MEMOIR_KERNEL_PROCMAP_H

#include <stddef.h>
#include <stdint.h>

struct procmap_vma {
	uint64_t start, end;
	uint64_t offset_bytes;
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	char perms[5]; /* "rw-p" */
};

/*
 * The mapping that covers an address, by an open /proc/PID/maps. 0; -ENOENT: there is none; -ESRCH: the
 * process has ended or called exec since maps was opened; -ENOTTY: an older kernel.
 */
int procmap_query(int maps_fd, uint64_t addr, struct procmap_vma *ret_vma);

/* The same with what maps has in its last column, without any escapes; -ENAMETOOLONG. */
int procmap_query_path(int maps_fd, uint64_t addr, struct procmap_vma *ret_vma, char *path,
		       size_t size);

#endif
