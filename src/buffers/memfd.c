// SPDX-License-Identifier: MIT
/*
 * memfds: files of the kernel's own shmem, called by their maker.
 */
#include "buffers/class.h"

#define LINK "/memfd:"

static bool is(const struct buffer_clues *clues)
{
	return clues->on_own_shmem && path_starts(clues, LINK);
}

static void tag(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	tag_by_path(clues, strlen(LINK), true, facts);
}

const struct buffer_class memfd_class = {
	.what = "memfd",
	.kind = BUFFER_MEMFD,
	.is = is,
	.tag = tag,
};
