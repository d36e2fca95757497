// SPDX-License-Identifier: MIT
/*
 * guest_memfd: memory of a virtual machine that its own hypervisor process does not map (Linux 6.8).
 * fdinfo tells nothing; the inode has the size, and its mapping (by BPF) what is in RAM.
 */
#include "buffers/class.h"
#include "kernel/magic.h"

static bool is(const struct buffer_clues *clues)
{
	return clues->magic == GUEST_MEMFD_MAGIC ||
	       (clues->path && strcmp(clues->path, "anon_inode:[kvm-gmem]") == 0);
}

const struct buffer_class guest_memfd_class = {
	.what = "memory of a virtual machine",
	.kind = BUFFER_GUEST_MEMFD,
	.is = is,
};
