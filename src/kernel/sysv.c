// SPDX-License-Identifier: MIT
/*
 * Parses /proc/sysvipc/shm; knows nothing of who maps the segments.
 */
#include "kernel/sysv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SHM_DEST 01000u /* linux/shm.h: marked by IPC_RMID */

/* Whether this namespace removes each segment with its last mapping, as if all were marked. */
static bool all_removed(const struct kroot *root)
{
	char text[16];

	return kroot_read(root, text, sizeof(text), "proc/sys/kernel/shm_rmid_forced") > 0 &&
	       text[0] == '1';
}

/* "key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap" */
static bool parse(const char *line, struct sysv_segment *ret)
{
	unsigned int perms;

	if (sscanf(line,
		   "%" SCNd32 " %" SCNu32 " %o %" SCNu64 " %" SCNd32 " %*d %*d %*u %*u %" SCNu32
		   " %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
		   &ret->key, &ret->id, &perms, &ret->size_bytes, &ret->maker_pid, &ret->maker_uid,
		   &ret->resident_bytes, &ret->swapped_bytes) != 8)
		return false;
	ret->stays = !(perms & SHM_DEST);
	return true;
}

int sysv_each(const struct kroot *root, void (*each)(const struct sysv_segment *segment, void *arg),
	      void *arg)
{
	struct kbuf text = { 0 };
	ssize_t len = kroot_slurp(root, &text, "proc/sysvipc/shm");
	bool forced = all_removed(root);
	char *line, *next = text.data;
	struct sysv_segment segment;

	while (len > 0 && (line = strsep(&next, "\n"))) {
		/* The heading is no number. */
		if (!parse(line, &segment))
			continue;
		segment.stays = segment.stays && !forced;
		each(&segment, arg);
	}
	kbuf_free(&text);
	return len < 0 ? (int)len : 0;
}

bool sysv_shows(const struct kroot *root, pid_t pid)
{
	struct statx own, its;

	return kroot_stat(root, &own, "proc/self/ns/ipc") == 0 &&
	       kroot_stat(root, &its, "proc/%d/ns/ipc", pid) == 0 && own.stx_ino == its.stx_ino;
}
