// SPDX-License-Identifier: MIT
/*
 * Makes names of paths and symbols. Good in signal handlers.
 */
#include "preload/label.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static size_t add(char *label, size_t at, const char *text)
{
	for (; *text && at < MEMOIR_NAME_MAX - 1; text++, at++) {
		bool good = *text >= 0x20 && *text <= 0x7e && !strchr("\\`$[]", *text);

		label[at] = good ? *text : '_';
	}
	return at;
}

void label_make(char label[MEMOIR_NAME_MAX], const char *path, const char *function)
{
	const char *slash = strrchr(path, '/');
	size_t at = add(label, 0, slash ? slash + 1 : path);

	/* A colon without a function would say nothing. */
	if (function && *function && at + 2 < MEMOIR_NAME_MAX) {
		label[at++] = ':';
		at = add(label, at, function);
	}
	label[at] = '\0';
}
