// SPDX-License-Identifier: MIT
/*
 * Looks up lines of /proc/vmstat; what they mean is for others.
 */
#include "kernel/vmstat.h"

#include <stdlib.h>
#include <string.h>

static void take_line(char *line, const char *const *keys, size_t count, uint64_t *values)
{
	char *space = strchr(line, ' ');

	if (!space)
		return;
	*space = '\0';
	for (size_t i = 0; i < count; i++)
		if (strcmp(line, keys[i]) == 0)
			values[i] = strtoull(space + 1, NULL, 10);
}

int vmstat_read(const struct kroot *root, const char *const *keys, size_t count,
		uint64_t *ret_values)
{
	struct kbuf text = { 0 };
	ssize_t len = kroot_slurp(root, &text, "proc/vmstat");
	char *next = text.data, *line;

	for (size_t i = 0; len >= 0 && i < count; i++)
		ret_values[i] = UINT64_MAX;
	while (len > 0 && (line = strsep(&next, "\n")))
		take_line(line, keys, count, ret_values);
	kbuf_free(&text);
	return len < 0 ? (int)len : 0;
}
