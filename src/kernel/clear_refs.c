// SPDX-License-Identifier: MIT
/*
 * Clears the marks of use in a process's page tables; reads none.
 */
#include "kernel/clear_refs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/pagemap.h"

int clear_refs(const struct kroot *root, pid_t pid, enum clear_refs what)
{
	char digit[] = { (char)('0' + what), '\0' };

	return kroot_write(root, digit, "proc/%d/clear_refs", (int)pid);
}

/* New memory counts as written wherever there are such bits. */
int clear_refs_soft_dirty_works(const struct kroot *root)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t word = 0;

	if (page == MAP_FAILED)
		return -errno;
	*(volatile char *)page = 1;
	int fd = pagemap_open(root, getpid());
	ssize_t got = fd < 0 ? fd : pagemap_read(fd, (uint64_t)(uintptr_t)page >> 12, &word, 1);

	if (fd >= 0)
		close(fd);
	munmap(page, 4096);
	if (got < 0)
		return (int)got;
	return got == 1 && (word & PAGEMAP_BIT_SOFT_DIRTY);
}
