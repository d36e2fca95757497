// SPDX-License-Identifier: MIT
/*
 * Reads the counters of huge pages, and the flags of the frames of one block.
 */
#include "kernel/folio_sizes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THP "sys/kernel/mm/transparent_hugepage"
#define PMD_KB 2048u

/* -ENOENT: there are no folios of this size, or no counters of them. */
static int anon_folios(const struct kroot *root, unsigned int kb, uint64_t *ret_count)
{
	char text[32];
	ssize_t len = kroot_read(root, text, sizeof(text), THP "/hugepages-%ukB/stats/nr_anon", kb);

	if (len < 0)
		return (int)len;
	*ret_count = strtoull(text, NULL, 10);
	return 0;
}

/* The number behind a key at the beginning of a line, 0 if there is none. */
static uint64_t number_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0)
			return strtoull(line + len, NULL, 10);
		if (!*line)
			break;
	}
	return 0;
}

static uint64_t number_in(const struct kroot *root, const char *file, const char *key)
{
	struct kbuf buf = { 0 };
	uint64_t number = 0;

	if (kroot_slurp(root, &buf, "%s", file) > 0)
		number = number_of(buf.data, key);
	kbuf_free(&buf);
	return number;
}

bool folios_may_be_split(const struct kroot *root, bool pmds_seen)
{
	uint64_t count = 0;

	if (anon_folios(root, PMD_KB, &count) < 0)
		return number_in(root, "proc/vmstat", "thp_split_pmd ") > 0;
	if (count > 0 && !pmds_seen)
		return true;
	if (count * PMD_KB > number_in(root, "proc/meminfo", "AnonHugePages:"))
		return true;
	for (unsigned int kb = 8; kb < PMD_KB; kb *= 2)
		if (anon_folios(root, kb, &count) == 0 && count > 0)
			return true;
	return false;
}

static bool is_head(uint64_t flags)
{
	return (flags & KPAGE_HEAD) && (flags & KPAGE_ANON) && !(flags & KPAGE_HUGE);
}

int folio_sizes(const struct kpage *kpage, uint64_t first, uint16_t sizes[FOLIO_BLOCK])
{
	uint64_t flags[FOLIO_BLOCK];
	ssize_t got = pread(kpage->flags_fd, flags, sizeof(flags), (off_t)(first * sizeof(*flags)));
	size_t n = got > 0 ? (size_t)got / sizeof(*flags) : 0;

	memset(sizes, 0, FOLIO_BLOCK * sizeof(*sizes));
	if (got < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		size_t end = i + 1;

		if (!is_head(flags[i]))
			continue;
		while (end < n && (flags[end] & KPAGE_TAIL))
			end++;
		sizes[i] = end - i > 1 ? (uint16_t)(end - i) : 0;
		i = end - 1;
	}
	return 0;
}
