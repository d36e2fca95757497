// SPDX-License-Identifier: MIT
/*
 * Reads memory of other processes; what it holds is for the caller to judge.
 */
#include "kernel/memory.h"

#include <errno.h>
#include <string.h>
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

/* Not over the end of a page in one go: the text may end just before what is not mapped. */
int memory_read_text(int fd, uint64_t addr, char *text, size_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t have = 0;

	while (have < size) {
		uint64_t at, rest;
		size_t want = size - have;
		int err;

		if (__builtin_add_overflow(addr, have, &at))
			return -EFAULT;
		rest = page - at % page;
		want = rest < want ? (size_t)rest : want;
		err = memory_read(fd, at, text + have, want);
		if (err)
			return err;
		if (memchr(text + have, '\0', want))
			return 0;
		have += want;
	}
	return -EINVAL;
}
