// SPDX-License-Identifier: MIT
/*
 * Reads /proc/kpageflags; frames are asked for one by one, so it is for few of them.
 */
#include "kernel/kpage.h"

#include <errno.h>
#include <unistd.h>

int kpage_open(const struct kroot *root, struct kpage *ret_kpage)
{
	int fd = kroot_fd(root, "proc/kpageflags");

	if (fd < 0)
		return fd;
	ret_kpage->flags_fd = fd;
	return 0;
}

void kpage_close(struct kpage *kpage)
{
	if (kpage->flags_fd >= 0)
		close(kpage->flags_fd);
	kpage->flags_fd = -1;
}

int kpage_flags(const struct kpage *kpage, uint64_t frame, uint64_t *ret_flags)
{
	uint64_t flags;

	if (pread(kpage->flags_fd, &flags, sizeof(flags), (off_t)(frame * sizeof(flags))) !=
	    sizeof(flags))
		return -ENXIO;
	*ret_flags = flags;
	return 0;
}

uint64_t kpage_end(const struct kpage *kpage)
{
	uint64_t low = 0, high = 1ull << 40, flags;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (kpage_flags(kpage, middle, &flags) == 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
