// SPDX-License-Identifier: MIT
/*
 * Reads memory of other processes; what it holds is for the caller to judge.
 */
#include "kernel/memory.h"

#include <errno.h>
#include <unistd.h>

int memory_open(const struct kroot *root, pid_t pid)
{
	return kroot_fd(root, "proc/%d/mem", pid);
}

int memory_read(int fd, uint64_t addr, void *buffer, size_t bytes)
{
	while (bytes) {
		ssize_t got = pread(fd, buffer, bytes, (off_t)addr);

		if (got <= 0)
			return got == 0                          ? -ESRCH
			       : errno == EIO || errno == ENOMEM ? -EFAULT
								 : -errno;
		buffer = (char *)buffer + got;
		addr += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}
