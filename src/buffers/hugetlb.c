// SPDX-License-Identifier: MIT
/*
 * Files of hugetlbfs: huge pages of a pool, in no rss.
 */
#include "buffers/class.h"
#include "kernel/magic.h"

static bool is(const struct buffer_clues *clues)
{
	return clues->hugetlb || clues->magic == HUGETLBFS_MAGIC;
}

/* Those without a file of their own are called as on shmem. */
static void tag(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	bool memfd = path_starts(clues, "/memfd:");

	if (!path_starts(clues, "/anon_hugepage"))
		tag_by_path(clues, memfd ? strlen("/memfd:") : 0, true, facts);
}

const struct buffer_class hugetlb_class = {
	.what = "file of huge pages",
	.kind = BUFFER_HUGETLB,
	.is = is,
	.tag = tag,
};
