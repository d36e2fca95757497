// SPDX-License-Identifier: MIT
/*
 * Reads memory of other processes; what it holds is for the caller to judge.
 */
#include "kernel/memory.h"

#include <errno.h>
#include <sys/uio.h>

int memory_read(pid_t pid, uint64_t addr, void *buffer, size_t bytes)
{
	while (bytes) {
		struct iovec local = { buffer, bytes };
		struct iovec remote = { (void *)(uintptr_t)addr, bytes };
		ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

		if (got <= 0)
			return got < 0 ? -errno : -EFAULT;
		buffer = (char *)buffer + got;
		addr += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}
