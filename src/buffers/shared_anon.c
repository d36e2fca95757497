// SPDX-License-Identifier: MIT
/*
 * Shared anonymous mappings: files of the kernel's own shmem that cannot be opened, only inherited.
 */
#include "buffers/class.h"

static bool is(const struct buffer_clues *clues)
{
	return clues->on_own_shmem && (!clues->path || path_starts(clues, "/dev/zero"));
}

const struct buffer_class shared_anon_class = {
	.what = "shared anonymous memory",
	.kind = BUFFER_SHARED_ANON,
	.is = is,
};
