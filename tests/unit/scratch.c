// SPDX-License-Identifier: MIT
#include "scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char base[64];

/* Some tens of thousands of links take their time on a disk. */
int scratch_make(void)
{
	snprintf(base, sizeof(base), "%s/memoir-unit-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm"
		 : getenv("TMPDIR")            ? getenv("TMPDIR")
					       : "/tmp");
	return mkdtemp(base) ? 0 : -1;
}

static void remove_all(const char *dir)
{
	DIR *list = opendir(dir);
	const struct dirent *entry;
	char path[512];

	while (list && (entry = readdir(list))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (unlink(path) < 0)
			remove_all(path);
	}
	if (list)
		closedir(list);
	rmdir(dir);
}

void scratch_remove(void)
{
	remove_all(base);
}

const char *scratch_path(void)
{
	return base;
}

char *in_scratch(const char *name)
{
	static char path[4][512];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", base, name);
	return path[turn];
}
