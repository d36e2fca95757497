// SPDX-License-Identifier: MIT
/*
 * Reads pagemap words and runs; what they add up to is not its business.
 */
#include "kernel/pagemap.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* As in linux/fs.h since 6.7; spelled out because older headers lack it. */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define TABLE_BYTES ((size_t)2 << 20) /* what a page table maps */

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)

int pagemap_open(const struct kroot *root, pid_t pid)
{
	return kroot_fd(root, "proc/%d/pagemap", pid);
}

int pagemap_open_thread(const struct kroot *root, pid_t pid, pid_t tid)
{
	if (pid == tid)
		return pagemap_open(root, pid);
	return kroot_fd(root, "proc/%d/task/%d/pagemap", pid, tid);
}

ssize_t pagemap_read(int fd, uint64_t page, uint64_t *words, size_t count)
{
	ssize_t got;

	do {
		got = pread(fd, words, count * sizeof(*words), (off_t)(page * sizeof(*words)));
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got / (ssize_t)sizeof(*words);
}

bool pagemap_shows_frames(const struct kroot *root)
{
	volatile char page = 1;
	uint64_t word = 0;
	int fd = pagemap_open(root, getpid());

	if (fd < 0)
		return false;
	ssize_t got = pagemap_read(fd, (uint64_t)(uintptr_t)&page >> 12, &word, 1);

	close(fd);
	return got == 1 && pagemap_present(word) && pagemap_frame(word) != 0;
}

void *pagemap_probe_room(void)
{
	char *room = mmap(NULL, TABLE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);
	size_t before = TABLE_BYTES - 4096 - (uintptr_t)room % TABLE_BYTES;

	if (room == MAP_FAILED)
		return NULL;
	if (before)
		munmap(room, before);
	if (TABLE_BYTES - before > 4096)
		munmap(room + before + 4096, TABLE_BYTES - before - 4096);
	return room + before;
}

/* A page that was only read is the zero page. */
uint64_t pagemap_zero_frame(const struct kroot *root)
{
	volatile char *page = pagemap_probe_room();
	uint64_t word = 0, frame = UINT64_MAX;
	int fd = pagemap_open(root, getpid());

	if (page && fd >= 0 && mprotect((void *)page, 4096, PROT_READ) == 0) {
		(void)*page;
		if (pagemap_read(fd, (uintptr_t)page >> 12, &word, 1) == 1 &&
		    pagemap_present(word) && pagemap_frame(word))
			frame = pagemap_frame(word);
	}
	if (fd >= 0)
		close(fd);
	if (page)
		munmap((void *)page, 4096);
	return frame;
}

ssize_t pagemap_scan(int fd, uint64_t start, uint64_t end, bool file, struct pagemap_run *runs,
		     size_t room, uint64_t *ret_walked)
{
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uint64_t)(uintptr_t)runs,
		.vec_len = room,
		.category_inverted = PAGEMAP_RUN_ZERO,
		.category_mask = PAGEMAP_RUN_ZERO,
		.category_anyof_mask = PAGEMAP_RUN_PRESENT | PAGEMAP_RUN_SWAPPED,
		.return_mask = PAGEMAP_RUN_PRESENT | PAGEMAP_RUN_SWAPPED | PAGEMAP_RUN_HUGE |
			       (file ? PAGEMAP_RUN_FILE : 0),
	};
	int got;

	do {
		got = ioctl(fd, SCAN_IOCTL, &arg);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	*ret_walked = arg.walk_end;
	return got;
}

int pagemap_scan_probe(const struct kroot *root)
{
	struct pagemap_run run;
	volatile char page = 1;
	uint64_t at = (uint64_t)(uintptr_t)&page & ~4095ull, walked;
	int fd = kroot_is_live(root) ? pagemap_open(root, getpid()) : -EOPNOTSUPP;

	if (fd < 0)
		return fd;
	ssize_t got = pagemap_scan(fd, at, at + 4096, false, &run, 1, &walked);

	close(fd);
	return got == 1 ? 0 : -EOPNOTSUPP;
}
