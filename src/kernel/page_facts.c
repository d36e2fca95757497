// SPDX-License-Identifier: MIT
/*
 * Reads /proc/kpageflags and /proc/kpagecount of single frames; for many of them see frames.h.
 */
#include "kernel/page_facts.h"

#include <errno.h>
#include <unistd.h>

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

int page_facts_read(const struct page_files *files, uint64_t frame, struct page_facts *ret_facts)
{
	struct page_facts facts;
	int err = read_word(files->flags_fd, frame, &facts.flags);

	if (!err)
		err = read_word(files->count_fd, frame, &facts.count);
	if (!err)
		*ret_facts = facts;
	return err;
}
