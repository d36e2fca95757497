// SPDX-License-Identifier: MIT
/*
 * Asks every mounted tmpfs how much it holds; knows no files.
 */
#include "kernel/tmpfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/u64map.h"
#include "kernel/magic.h"

/* "\040" and the like, in place. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++) {
		unsigned int byte;

		if (*from == '\\' && sscanf(from + 1, "%3o", &byte) == 1) {
			*to = (char)byte;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* "36 35 0:25 / /dev/shm rw shared:1 - tmpfs tmpfs rw": false where it is another file system. */
static bool parse(char *line, uint32_t *ret_dev, char path[4096])
{
	unsigned int dev_major, dev_minor;
	const char *type = strstr(line, " - ");

	if (!type ||
	    (strncmp(type, " - tmpfs ", 9) != 0 && strncmp(type, " - devtmpfs ", 12) != 0) ||
	    sscanf(line, "%*u %*u %u:%u %*s %4095s", &dev_major, &dev_minor, path) != 3)
		return false;
	unescape(path);
	*ret_dev = dev_major << 20 | dev_minor;
	return true;
}

/* Another one may be mounted on top: then the path leads elsewhere. */
static bool ask(const char *path, uint64_t *ret_used_bytes)
{
	struct statfs fs;

	if (statfs(path, &fs) < 0 || fs.f_type != TMPFS_MAGIC || !fs.f_blocks ||
	    fs.f_bfree > fs.f_blocks)
		return false;
	*ret_used_bytes = (uint64_t)(fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize;
	return true;
}

int tmpfs_each(const struct kroot *root, void (*each)(uint32_t dev, uint64_t used_bytes, void *arg),
	       void *arg)
{
	struct kbuf text = { 0 };
	struct u64map seen = { 0 };
	ssize_t len = kroot_slurp(root, &text, "proc/self/mountinfo");
	char *line, *next = text.data, path[4096];
	uint64_t used_bytes;
	uint32_t dev;
	int err = len < 0 ? (int)len : 0;

	while (!err && len > 0 && (line = strsep(&next, "\n")) && *line) {
		if (!parse(line, &dev, path) || u64map_get(&seen, dev) != U64MAP_NONE ||
		    !ask(path, &used_bytes))
			continue;
		err = u64map_set(&seen, dev, 0);
		each(dev, used_bytes, arg);
	}
	u64map_free(&seen);
	kbuf_free(&text);
	return err;
}
