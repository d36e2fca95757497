// SPDX-License-Identifier: MIT
/*
 * A process's memory behind a look at its pagemap; knows nothing of what it reads.
 */
#include "kernel/peek.h"

#include <errno.h>
#include <unistd.h>

#include "kernel/memory.h"
#include "kernel/pagemap.h"

#define PAGE_SHIFT 12
#define WORDS 64

int peek_open(const struct kroot *root, pid_t pid, pid_t tid, struct peek *ret_peek)
{
	int fd;

	if (!kroot_is_live(root))
		return -EOPNOTSUPP;
	fd = pagemap_open_thread(root, pid, tid);
	if (fd < 0)
		return fd;
	*ret_peek = (struct peek){ .pagemap = fd, .memory = memory_open(root, tid) };
	if (ret_peek->memory >= 0)
		return 0;
	close(fd);
	return ret_peek->memory;
}

void peek_close(struct peek *peek)
{
	close(peek->memory);
	close(peek->pagemap);
}

/* After exec the open pagemap is that of the address space before, which reads as empty. */
static int in_ram(const struct peek *peek, uint64_t first, uint64_t last)
{
	uint64_t words[WORDS];

	while (first <= last) {
		size_t want = last - first + 1 < WORDS ? (size_t)(last - first + 1) : WORDS;
		ssize_t got = pagemap_read(peek->pagemap, first, words, want);

		if (got <= 0)
			return got < 0 ? (int)got : -ESRCH;
		for (ssize_t i = 0; i < got; i++)
			if (!pagemap_present(words[i]))
				return -ENODATA;
		first += (uint64_t)got;
	}
	return 0;
}

int peek_read(const struct peek *peek, uint64_t addr, void *buf, size_t bytes)
{
	int err;

	if (!bytes || addr > UINT64_MAX - bytes)
		return -EFAULT;
	err = in_ram(peek, addr >> PAGE_SHIFT, (addr + bytes - 1) >> PAGE_SHIFT);
	if (err)
		return err;
	return memory_read(peek->memory, addr, buf, bytes);
}
