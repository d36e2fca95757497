// SPDX-License-Identifier: MIT
/*
 * Lists directories below a root; opens nothing in them.
 */
#include "kernel/entries.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int entries_each(const struct kroot *root, const char *directory,
		 int (*each)(const struct kroot *root, const char *name, void *arg), void *arg)
{
	int fd = kroot_fd(root, "%s", directory), err = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		err = -errno;
		close(fd);
		return err;
	}
	while (!err && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			err = each(root, entry->d_name, arg);
	closedir(dir);
	return err;
}
