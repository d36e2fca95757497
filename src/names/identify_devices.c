// SPDX-License-Identifier: MIT
/*
 * Rings that the kernel and a process share. Their anonymous inodes say what they are: no file's path
 * begins like theirs.
 */
#include <string.h>

#include "names/identify_rules.h"

bool identify_io_uring(struct identify_space *space, size_t i)
{
	const char *path = space->regions[i].path;

	return path && strcmp(path, "anon_inode:[io_uring]") == 0;
}

bool identify_perf(struct identify_space *space, size_t i)
{
	const char *path = space->regions[i].path;

	return path && strcmp(path, "anon_inode:[perf_event]") == 0;
}
