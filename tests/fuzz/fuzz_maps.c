// SPDX-License-Identifier: MIT
/*
 * Paths and names in /proc/PID/maps and smaps come from strangers, and a captured tree may hold anything:
 * the parsers stay inside the text and always come to an end.
 */
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/maps.h"

static void check_line(const struct maps_line *line, const char *text, size_t size)
{
	FUZZ_HOLDS(strlen(line->perms) == 4);
	FUZZ_HOLDS(line->path);
	/* Inside the text or the constant "". */
	FUZZ_HOLDS(!line->path[0] || (line->path >= text && line->path < text + size));
	FUZZ_HOLDS(!line->name || (line->name >= text && line->name <= text + size));
	maps_is_gate(line);
}

/* `next` has to move on or stop: as many lines as there are bytes would be one that stands still. */
static void parse_all(const uint8_t *data, size_t size, bool smaps)
{
	char *text = malloc(size + 1);
	char *rest = text;
	size_t lines = 0;
	int ret;

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	do {
		struct maps_line line = { 0 };
		struct smaps_figures figures = { 0 };

		ret = smaps ? smaps_next(&rest, &line, &figures) : maps_next(&rest, &line);
		FUZZ_HOLDS(ret == 1 || ret == 0 || ret == -EBADMSG);
		FUZZ_HOLDS(rest >= text && rest <= text + size);
		if (ret == 1)
			check_line(&line, text, size);
	} while (ret == 1 && lines++ <= size);
	FUZZ_HOLDS(lines <= size);
	free(text);
}

/* All of it, and each line alone: parsing ends at the first that is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;

	parse_all(data, size, false);
	parse_all(data, size, true);
	while (at < size) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t len = end ? (size_t)(end - data) - at + 1 : size - at;

		parse_all(data + at, len, false);
		at += len;
	}
	return 0;
}
