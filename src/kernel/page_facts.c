// SPDX-License-Identifier: MIT
/*
 * Reads /proc/kpageflags and /proc/kpagecount of single frames; for many of them see frames.h.
 */
#include "kernel/page_facts.h"

#include <errno.h>
#include <unistd.h>

#include "kernel/kpage.h"
#include "kernel/pagemap.h"

#define ORDER_MAX 18 /* 1 GiB */

int page_files_open(const struct kroot *root, struct page_files *ret_files)
{
	struct page_files files = { kroot_fd(root, "proc/kpageflags"), -1 };

	if (files.flags_fd < 0)
		return files.flags_fd;
	files.count_fd = kroot_fd(root, "proc/kpagecount");
	if (files.count_fd < 0) {
		close(files.flags_fd);
		return files.count_fd;
	}
	*ret_files = files;
	return 0;
}

void page_files_close(struct page_files *files)
{
	close(files->flags_fd);
	close(files->count_fd);
}

static int read_word(int fd, uint64_t frame, uint64_t *ret_word)
{
	/* Where the offset would be negative there are no frames either. */
	if (frame > INT64_MAX / sizeof(*ret_word))
		return -ENXIO;
	ssize_t got = pread(fd, ret_word, sizeof(*ret_word), (off_t)(frame * sizeof(*ret_word)));

	return got == sizeof(*ret_word) ? 0 : -ENXIO;
}

/*
 * A folio lies at a multiple of its size, and its first page is a head: between that and one of its tails
 * there is no other head. Older kernels keep most flags of the whole with its head only.
 */
static uint64_t flags_of_head(const struct page_files *files, uint64_t frame)
{
	uint64_t flags = 0;

	for (unsigned int order = 1; order <= ORDER_MAX; order++) {
		if (read_word(files->flags_fd, frame >> order << order, &flags) < 0)
			return 0;
		if (flags & KPAGE_HEAD)
			return flags & ~KPAGE_HEAD;
	}
	return 0;
}

int page_facts_read(const struct page_files *files, uint64_t frame, struct page_facts *ret_facts)
{
	struct page_facts facts;
	int err = read_word(files->flags_fd, frame, &facts.flags);

	if (!err)
		err = read_word(files->count_fd, frame, &facts.count);
	if (!err && facts.flags & KPAGE_TAIL)
		facts.flags |= flags_of_head(files, frame);
	if (!err)
		*ret_facts = facts;
	return err;
}

bool page_files_tell_ksm(const struct page_files *files, const struct kroot *root)
{
	volatile char page = 1;
	struct page_facts facts;
	uint64_t word = 0;
	int fd = pagemap_open(root, getpid());

	if (fd < 0)
		return false;
	ssize_t got = pagemap_read(fd, (uint64_t)(uintptr_t)&page >> 12, &word, 1);

	close(fd);
	return got == 1 && pagemap_present(word) &&
	       page_facts_read(files, pagemap_frame(word), &facts) == 0 &&
	       !(facts.flags & KPAGE_KSM);
}
