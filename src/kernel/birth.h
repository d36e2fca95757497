/* SPDX-License-Identifier: MIT */
/*
 * When a file was made, by which it is told from another one that has its number later: statx(2). tmpfs tells since
 * Linux 5.18, hugetlbfs and anonymous inodes never do.
 */
#ifndef MEMOIR_KERNEL_BIRTH_H
#define MEMOIR_KERNEL_BIRTH_H

#include "kernel/root.h"

/* A file by its device (major << 20 | minor) and inode. */
struct file_number {
	uint32_t dev;
	uint64_t inode;
};

/*
 * Of a file that a process has open: PTRACE_MODE_READ. In ns since 1970; 0: its file system does not tell. 0 or
 * negative errno; -ESTALE: the fd is another file's by now.
 */
int birth_of_open(const struct kroot *root, pid_t pid, int fd, const struct file_number *number,
		  uint64_t *ret_birth_ns);

/*
 * The same of a file that it maps: CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, without which the file is looked for
 * under the path that maps shows (NULL: none).
 */
int birth_of_mapped(const struct kroot *root, pid_t pid, uint64_t start, uint64_t end,
		    const char *path, const struct file_number *number, uint64_t *ret_birth_ns);

#endif
