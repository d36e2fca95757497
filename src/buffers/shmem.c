// SPDX-License-Identifier: MIT
/*
 * Files of tmpfs, POSIX shared memory among them, and what else lies on the kernel's own shmem.
 */
#include <sys/stat.h>

#include "buffers/class.h"

/* Nodes of devices lie on tmpfs too. */
static bool is(const struct buffer_clues *clues)
{
	return clues->on_shmem && !S_ISCHR(clues->mode) && !S_ISBLK(clues->mode);
}

static void tag(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	tag_by_path(clues, 0, true, facts);
}

const struct buffer_class shmem_class = {
	.what = "file in tmpfs",
	.kind = BUFFER_SHMEM,
	.is = is,
	.tag = tag,
};
