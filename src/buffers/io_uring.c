// SPDX-License-Identifier: MIT
/*
 * io_uring: memory that a program has registered with a ring, which pins it. It is the program's own
 * memory and is counted there; only what was unmapped since lives by the ring alone.
 */
#include <stdlib.h>

#include "buffers/class.h"
#include "kernel/magic.h"

static bool is(const struct buffer_clues *clues)
{
	return (!clues->magic || clues->magic == ANON_INODE_FS_MAGIC) && clues->path &&
	       strcmp(clues->path, "anon_inode:[io_uring]") == 0;
}

/* "UserBufs: 2", and below it "0: 0x7f5db7a7c000/8192". Other lists have other forms. */
static void line(struct buffer_facts *facts, const char *key, const char *value)
{
	char *slash = strncmp(value, "0x", 2) == 0 ? strchr(value, '/') : NULL, *end;
	uint64_t bytes;

	strtoul(key, &end, 10);
	if (end == key || *end || !slash || !parse_bytes(slash + 1, &bytes))
		return;
	facts->size_bytes = sum_bytes(facts->size_bytes, bytes);
}

/* The inode of a ring has a size of 0. */
static void settle(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	(void)clues;
	facts->resident_known = true;
	facts->resident_bytes = facts->elsewhere_bytes = facts->size_bytes;
}

const struct buffer_class io_uring_class = {
	.what = "buffers registered with io_uring",
	.kind = BUFFER_IO_URING,
	.is = is,
	.line = line,
	.settle = settle,
};
