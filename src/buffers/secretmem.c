// SPDX-License-Identifier: MIT
/*
 * memfd_secret(2): pages that the kernel itself does not map. Text does not tell them from other files.
 */
#include "buffers/class.h"
#include "kernel/magic.h"

static bool is(const struct buffer_clues *clues)
{
	return clues->magic == SECRETMEM_MAGIC;
}

const struct buffer_class secretmem_class = {
	.what = "secret memory",
	.kind = BUFFER_SECRETMEM,
	.is = is,
};
