// SPDX-License-Identifier: MIT
/*
 * Parses /proc/zoneinfo; only the lines that no other file has.
 */
#include "kernel/zoneinfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096ull

/* "        managed  3840" or "              count:    12"; false for any other line. */
static bool take_pages(const char *line, const char *key, uint64_t *sum_bytes)
{
	size_t len = strlen(key);

	line += strspn(line, " ");
	if (strncmp(line, key, len) != 0)
		return false;
	*sum_bytes += strtoull(line + len, NULL, 10) * PAGE_BYTES;
	return true;
}

int zoneinfo_read(const struct kroot *root, struct zoneinfo *ret_info)
{
	struct zoneinfo info = { 0 };
	struct kbuf text = { 0 };
	ssize_t len = kroot_slurp(root, &text, "proc/zoneinfo");
	char *line, *next = text.data;
	bool any = false;

	while (len > 0 && (line = strsep(&next, "\n"))) {
		any |= take_pages(line, "managed ", &info.managed_bytes);
		take_pages(line, "count: ", &info.per_cpu_free_bytes);
	}
	kbuf_free(&text);
	if (len < 0)
		return (int)len;
	if (!any)
		return -EBADMSG;
	*ret_info = info;
	return 0;
}
