// SPDX-License-Identifier: MIT
/*
 * Parses maps and smaps text in place; allocates nothing and believes nothing.
 */
#include "kernel/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A number in this base ending at `end`; moves *at behind the end character. */
static bool number(char **at, unsigned int base, char end, uint64_t *ret)
{
	uint64_t value = 0;
	char *p = *at;

	for (;; p++) {
		unsigned int digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned int)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			digit = (unsigned int)(*p - 'a') + 10;
		else
			break;
		if (digit >= base || value > UINT64_MAX / 16)
			return false;
		value = value * base + digit;
	}
	if (p == *at || *p != end)
		return false;
	*at = p + 1;
	*ret = value;
	return true;
}

/* The kernel writes a newline in a path as \012 (and nothing else so): put it back. */
static bool unescape(char *path)
{
	char *to = path;
	bool escaped = false;

	for (const char *from = path; *from; to++) {
		if (strncmp(from, "\\012", 4) == 0) {
			*to = '\n';
			from += 4;
			escaped = true;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return escaped;
}

static const char *take_name(char *path, const char *prefix)
{
	size_t len = strlen(prefix), path_len = strlen(path);

	if (strncmp(path, prefix, len) != 0 || path_len <= len || path[path_len - 1] != ']')
		return NULL;
	path[path_len - 1] = '\0';
	return path + len;
}

int maps_next(char **text, struct maps_line *ret_line)
{
	struct maps_line line = { 0 };
	uint64_t dev_major, dev_minor;
	char *p = *text, *end;

	if (!*p)
		return 0;
	end = strchr(p, '\n');
	if (!end)
		return -EBADMSG;
	*end = '\0';
	if (!number(&p, 16, '-', &line.start) || !number(&p, 16, ' ', &line.end) ||
	    line.start >= line.end || strlen(p) < 5 || p[4] != ' ')
		return -EBADMSG;
	memcpy(line.perms, p, 4);
	p += 5;
	if (!number(&p, 16, ' ', &line.offset_bytes) || !number(&p, 16, ':', &dev_major) ||
	    !number(&p, 16, ' ', &dev_minor))
		return -EBADMSG;
	/* The inode ends at a space, even where nothing follows. */
	if (!number(&p, 10, ' ', &line.inode))
		return -EBADMSG;
	line.dev_major = (uint32_t)dev_major;
	line.dev_minor = (uint32_t)dev_minor;
	p += strspn(p, " ");
	line.name = take_name(p, "[anon:");
	if (!line.name)
		line.name = take_name(p, "[anon_shmem:");
	line.path = line.name ? "" : p;
	line.escaped = !line.name && unescape(p);
	*text = end + 1;
	*ret_line = line;
	return 1;
}

bool maps_is_gate(const struct maps_line *line)
{
	return strcmp(line->path, "[vsyscall]") == 0;
}

struct smaps_key {
	const char *key;
	size_t offset;
};

static const struct smaps_key smaps_keys[] = {
	{ "Rss:", offsetof(struct smaps_figures, rss) },
	{ "Pss:", offsetof(struct smaps_figures, pss) },
	{ "Private_Clean:", offsetof(struct smaps_figures, private_) },
	{ "Private_Dirty:", offsetof(struct smaps_figures, private_) },
	{ "Shared_Clean:", offsetof(struct smaps_figures, shared) },
	{ "Shared_Dirty:", offsetof(struct smaps_figures, shared) },
	{ "Referenced:", offsetof(struct smaps_figures, referenced) },
	{ "Swap:", offsetof(struct smaps_figures, swap) },
	{ "SwapPss:", offsetof(struct smaps_figures, swap_pss) },
	{ "Anonymous:", offsetof(struct smaps_figures, anonymous) },
	{ "AnonHugePages:", offsetof(struct smaps_figures, huge) },
	{ "ShmemPmdMapped:", offsetof(struct smaps_figures, huge) },
	{ "FilePmdMapped:", offsetof(struct smaps_figures, huge) },
	{ "Shared_Hugetlb:", offsetof(struct smaps_figures, hugetlb) },
	{ "Private_Hugetlb:", offsetof(struct smaps_figures, hugetlb) },
};

/* The line ends with a NUL: the text behind it may be that of 60,000 regions. */
static void take_figure(const char *line, struct smaps_figures *figures)
{
	size_t key_len = strcspn(line, " ");

	if (strncmp(line, "VmFlags:", 8) == 0) {
		/* Flags are two letters each, with a space before and behind. */
		figures->locked = strstr(line, " lo ") != NULL;
		return;
	}
	for (size_t i = 0; i < sizeof(smaps_keys) / sizeof(smaps_keys[0]); i++) {
		if (strlen(smaps_keys[i].key) != key_len ||
		    strncmp(smaps_keys[i].key, line, key_len) != 0)
			continue;
		uint64_t *figure = (uint64_t *)((char *)figures + smaps_keys[i].offset);

		*figure += strtoull(line + key_len, NULL, 10) * 1024;
		return;
	}
}

int smaps_next(char **text, struct maps_line *ret_line, struct smaps_figures *ret_figures)
{
	struct smaps_figures figures = { 0 };
	int got = maps_next(text, ret_line);

	/* Lines with figures begin with a capital, those of the next region with a hex digit. */
	while (got > 0 && **text >= 'A' && **text <= 'Z') {
		char *end = strchr(*text, '\n');

		if (!end)
			return -EBADMSG;
		*end = '\0';
		take_figure(*text, &figures);
		*text = end + 1;
	}
	if (got > 0)
		*ret_figures = figures;
	return got;
}
