// SPDX-License-Identifier: MIT
/*
 * Parses the counters of each size of hugetlb pages; changes none.
 */
#include "kernel/hugepages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/entries.h"

static int read_count(const struct kroot *root, const char *size, const char *what,
		      uint64_t *ret_count)
{
	char text[32], *end;
	ssize_t len =
		kroot_read(root, text, sizeof(text), "sys/kernel/mm/hugepages/%s/%s", size, what);

	if (len < 0)
		return (int)len;
	*ret_count = strtoull(text, &end, 10);
	return end > text ? 0 : -EBADMSG;
}

static int add_size(const struct kroot *root, const char *name, void *arg)
{
	struct hugepages *pages = arg;
	uint64_t kb, free_pages = 0, reserved_pages = 0;
	int err;

	if (sscanf(name, "hugepages-%" SCNu64 "kB", &kb) != 1)
		return 0;
	err = read_count(root, name, "free_hugepages", &free_pages);
	if (!err)
		err = read_count(root, name, "resv_hugepages", &reserved_pages);
	if (err)
		return err;
	pages->free_bytes += free_pages * kb * 1024;
	pages->reserved_bytes += reserved_pages * kb * 1024;
	return 0;
}

int hugepages_read(const struct kroot *root, struct hugepages *ret_pages)
{
	struct hugepages pages = { 0 };
	int err = entries_each(root, "sys/kernel/mm/hugepages", add_size, &pages);

	if (err == 0)
		*ret_pages = pages;
	return err;
}
