// SPDX-License-Identifier: MIT
/*
 * Parses /proc/meminfo; what the lines add up to is for others.
 */
#include "kernel/meminfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int meminfo_read(const struct kroot *root, void (*each)(const char *key, uint64_t value, void *arg),
		 void *arg)
{
	char text[16384], *next = text, *line;
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/meminfo");

	if (len < 0)
		return (int)len;
	while ((line = strsep(&next, "\n")) && *line) {
		char *colon = strchr(line, ':'), *end;

		if (!colon)
			return -EBADMSG;
		*colon = '\0';
		errno = 0;
		uint64_t value = strtoull(colon + 1, &end, 10);
		bool is_kb = strcmp(end, " kB") == 0;

		if (end == colon + 1 || errno || (*end && !is_kb) ||
		    __builtin_mul_overflow(value, is_kb ? 1024 : 1, &value))
			return -EBADMSG;
		each(line, value, arg);
	}
	return 0;
}

void meminfo_settle(const struct kroot *root)
{
	char nothing[16];

	/* To read it is to do it; there is nothing in it. */
	(void)kroot_read(root, nothing, sizeof(nothing), "proc/sys/vm/stat_refresh");
}
