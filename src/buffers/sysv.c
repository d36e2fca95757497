// SPDX-License-Identifier: MIT
/*
 * System V segments: files of the kernel's own shmem, called by their key.
 */
#include "buffers/class.h"

#define LINK "/SYSV"

static bool is(const struct buffer_clues *clues)
{
	return clues->on_own_shmem && path_starts(clues, LINK);
}

static void tag(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	tag_by_path(clues, 1, true, facts);
}

const struct buffer_class sysv_class = {
	.what = "System V segment",
	.kind = BUFFER_SYSV,
	.is = is,
	.tag = tag,
};
