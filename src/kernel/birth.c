// SPDX-License-Identifier: MIT
/*
 * Asks for the birth of files that processes have; opens none of them.
 */
#include "kernel/birth.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static int take(const struct statx *st, const struct file_number *number, uint64_t *ret_birth_ns)
{
	if (st->stx_ino != number->inode ||
	    (st->stx_dev_major << 20 | st->stx_dev_minor) != number->dev)
		return -ESTALE;
	*ret_birth_ns =
		st->stx_mask & STATX_BTIME
			? (uint64_t)st->stx_btime.tv_sec * NS_PER_SECOND + st->stx_btime.tv_nsec
			: 0;
	return 0;
}

int birth_of_open(const struct kroot *root, pid_t pid, int fd, const struct file_number *number,
		  uint64_t *ret_birth_ns)
{
	struct statx st;
	int err = kroot_stat(root, &st, "proc/%d/fd/%d", pid, fd);

	return err ? err : take(&st, number, ret_birth_ns);
}

int birth_of_mapped(const struct kroot *root, pid_t pid, uint64_t start, uint64_t end,
		    const char *path, const struct file_number *number, uint64_t *ret_birth_ns)
{
	struct statx st;
	int err = kroot_stat(root, &st, "proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, start, end);

	/* The right to look stays the first answer. */
	if ((err == -EPERM || err == -EACCES) && path && path[0] == '/' &&
	    kroot_stat(root, &st, "proc/%d/root%s", pid, path) == 0 &&
	    take(&st, number, ret_birth_ns) == 0)
		return 0;
	return err ? err : take(&st, number, ret_birth_ns);
}
