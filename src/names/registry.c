// SPDX-License-Identifier: MIT
/*
 * Symbolic links in a directory that only this user may write to; makes no ids.
 */
#include "names/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_DIGITS 16

struct registry {
	int dir;
	size_t links; /* about how many there are; counted when the first is made */
	bool counted;
};

/* ---- directories ---------------------------------------------------------------------------- */

/* Whether nobody else can have put there what is there: it is root's or this user's, and only theirs to write. */
static int check_dir(int fd, bool may_be_roots)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_mode & (S_IWGRP | S_IWOTH) ||
	    (st.st_uid != geteuid() && !(may_be_roots && st.st_uid == 0)))
		return -EPERM;
	return 0;
}

/* Open, and check, a directory in another one, which is closed. */
static int descend(int parent, const char *name, bool make)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd, err = 0;

	if (parent < 0)
		return parent;
	/* Who made it, if it was there, is looked at below. */
	if (make && mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		err = -errno;
	fd = err ? err : openat(parent, name, flags);
	if (!err && fd < 0)
		err = -errno;
	close(parent);
	if (!err)
		err = check_dir(fd, false);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static int open_base(const char *base)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = check_dir(fd, true);
	if (err)
		close(fd);
	return err ? err : fd;
}

int registry_open(const char *base, bool make, struct registry **ret_registry)
{
	struct registry *registry;
	int dir = open_base(base);

	dir = descend(dir, "memoir", make);
	dir = descend(dir, "names", make);
	if (dir < 0)
		return dir;
	registry = calloc(1, sizeof(*registry));
	if (!registry) {
		close(dir);
		return -ENOMEM;
	}
	registry->dir = dir;
	*ret_registry = registry;
	return 0;
}

void registry_close(struct registry *registry)
{
	if (!registry)
		return;
	close(registry->dir);
	free(registry);
}

/* ---- links ---------------------------------------------------------------------------------- */

static void to_file_name(uint64_t id, char name[ID_DIGITS + 1])
{
	snprintf(name, ID_DIGITS + 1, "%016llx", (unsigned long long)id);
}

static bool to_id(const char *name, uint64_t *ret_id)
{
	if (strlen(name) != ID_DIGITS || strspn(name, "0123456789abcdef") != ID_DIGITS)
		return false;
	*ret_id = strtoull(name, NULL, 16);
	return true;
}

int registry_read(const struct registry *registry, uint64_t id, char name[REGISTRY_NAME_MAX])
{
	char file_name[ID_DIGITS + 1];
	ssize_t len;

	to_file_name(id, file_name);
	len = readlinkat(registry->dir, file_name, name, REGISTRY_NAME_MAX);
	if (len < 0)
		return -errno;
	if (len >= REGISTRY_NAME_MAX)
		return -E2BIG;
	name[len] = '\0';
	return (int)len;
}

static bool keep(uint64_t id, const char *name, uint64_t made_ns, void *arg)
{
	size_t *count = arg;

	(void)id;
	(void)name;
	(void)made_ns;
	++*count;
	return false;
}

/* Counted once: others who make links at the same time make it a little more. */
static int count_links(struct registry *registry)
{
	size_t strange;
	int err = 0;

	if (!registry->counted)
		err = registry_each(registry, keep, &registry->links, &strange);
	registry->counted = !err;
	return err ? err : registry->links >= REGISTRY_LINKS_MAX ? -ENOSPC : 0;
}

static int compare(const struct registry *registry, uint64_t id, const char *name)
{
	char there[REGISTRY_NAME_MAX];
	int len = registry_read(registry, id, there);

	if (len == -ENOENT)
		return -ENOENT;
	return len >= 0 && (size_t)len == strlen(name) && memcmp(there, name, (size_t)len) == 0
		       ? 0
		       : -EEXIST;
}

int registry_add(struct registry *registry, uint64_t id, const char *name)
{
	char file_name[ID_DIGITS + 1];
	int err;

	if (!*name || strlen(name) >= REGISTRY_NAME_MAX)
		return -EINVAL;
	err = compare(registry, id, name);
	if (err != -ENOENT)
		return err;
	err = count_links(registry);
	if (err)
		return err;
	to_file_name(id, file_name);
	if (symlinkat(name, registry->dir, file_name) == 0) {
		registry->links++;
		return 1;
	}
	/* Somebody else may have been first. */
	return errno == EEXIST ? compare(registry, id, name) : -errno;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* 1: it is a link with an id for its name; it may be gone now. */
static int look_at(struct registry *registry, const char *file_name, registry_fn each, void *arg)
{
	char name[REGISTRY_NAME_MAX];
	struct stat st;
	uint64_t id;

	if (!to_id(file_name, &id) || registry_read(registry, id, name) < 0 ||
	    fstatat(registry->dir, file_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!each(id, name,
		  (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec, arg))
		return 1;
	if (unlinkat(registry->dir, file_name, 0) < 0)
		return errno == ENOENT ? 1 : -errno;
	registry->links -= registry->links > 0;
	return 1;
}

int registry_each(struct registry *registry, registry_fn each, void *arg, size_t *ret_strange)
{
	int fd = openat(registry->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), got = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t strange = 0, entries = 0;

	if (!dir) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	while (got >= 0 && entries++ < REGISTRY_ENTRIES_MAX && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		got = look_at(registry, entry->d_name, each, arg);
		strange += got == 0;
	}
	closedir(dir);
	if (got < 0)
		return got;
	*ret_strange = strange;
	return 0;
}
