// SPDX-License-Identifier: MIT
/*
 * memoir's own memory: advice on it, and how much of it there is. Failing to take the advice changes nothing
 * but speed.
 */
#include "kernel/own_memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_BYTES (2u << 20)

void *own_memory_array(size_t bytes)
{
	size_t whole = (bytes + HUGE_BYTES - 1) & ~(size_t)(HUGE_BYTES - 1);
	void *array;

	if (bytes < 2 * (size_t)HUGE_BYTES)
		return malloc(bytes);
	array = whole >= bytes ? aligned_alloc(HUGE_BYTES, whole) : NULL;
	if (array)
		madvise(array, whole, MADV_HUGEPAGE);
	return array;
}

/* 0 where there is no such line. */
static uint64_t line_bytes(const char *text, const char *key)
{
	const char *line = strstr(text, key);
	unsigned long long kb = 0;

	if (line)
		(void)sscanf(line + strlen(key), "%llu", &kb);
	return kb << 10;
}

int own_memory_read(const struct kroot *root, struct own_memory *ret_own)
{
	char text[4096];
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/self/smaps_rollup");

	if (len < 0)
		return (int)len;
	if (!strstr(text, "\nAnonymous:"))
		return -ENODATA;
	uint64_t anon_bytes = line_bytes(text, "\nAnonymous:");
	uint64_t private_bytes =
		line_bytes(text, "\nPrivate_Clean:") + line_bytes(text, "\nPrivate_Dirty:");

	*ret_own = (struct own_memory){
		.anon_bytes = anon_bytes,
		.other_bytes = private_bytes > anon_bytes ? private_bytes - anon_bytes : 0,
	};
	return 0;
}
