// SPDX-License-Identifier: MIT
/*
 * Symbolic links in a directory that only one user may write to; knows nothing of what they say.
 */
#include "base/links.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct links {
	int dir;
	size_t count; /* about how many there are; counted when the first is made */
	bool counted;
};

/* ---- directories ---------------------------------------------------------------------------- */

/* Whether nobody else can have put there what is there: it is root's or the owner's, and only theirs to write. */
static int check_dir(int fd, uid_t owner, bool may_be_roots)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_mode & (S_IWGRP | S_IWOTH) ||
	    (st.st_uid != owner && !(may_be_roots && st.st_uid == 0)))
		return -EPERM;
	return 0;
}

/* Open, and check, a directory in another one, which is closed. */
static int descend(int parent, const char *name, uid_t owner, bool make)
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
		err = check_dir(fd, owner, false);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static int open_base(const char *base, uid_t owner)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = check_dir(fd, owner, true);
	if (err)
		close(fd);
	return err ? err : fd;
}

int links_open(const char *base, const char *name, uid_t owner, bool make, struct links **ret_links)
{
	struct links *links;
	int dir = open_base(base, owner);

	dir = descend(dir, "memoir", owner, make);
	dir = descend(dir, name, owner, make);
	if (dir < 0)
		return dir;
	links = calloc(1, sizeof(*links));
	if (!links) {
		close(dir);
		return -ENOMEM;
	}
	links->dir = dir;
	*ret_links = links;
	return 0;
}

void links_close(struct links *links)
{
	if (!links)
		return;
	close(links->dir);
	free(links);
}

/* ---- one link ------------------------------------------------------------------------------- */

int links_read(const struct links *links, const char *word, char text[LINKS_TEXT_MAX])
{
	ssize_t len = readlinkat(links->dir, word, text, LINKS_TEXT_MAX);

	if (len < 0)
		return -errno;
	if (len >= LINKS_TEXT_MAX)
		return -E2BIG;
	text[len] = '\0';
	return (int)len;
}

static enum link_verdict count_one(const char *word, const char *text, uint64_t made_ns, void *arg)
{
	size_t *count = arg;

	(void)word;
	(void)text;
	(void)made_ns;
	++*count;
	return LINK_KEEP;
}

/* Counted once: others who make links at the same time make it a little more. */
static int check_room(struct links *links)
{
	size_t strange;
	int err = 0;

	if (!links->counted)
		err = links_each(links, count_one, &links->count, &strange);
	links->counted = !err;
	return err ? err : links->count >= LINKS_MAX ? -ENOSPC : 0;
}

static int compare(const struct links *links, const char *word, const char *text)
{
	char there[LINKS_TEXT_MAX];
	int len = links_read(links, word, there);

	if (len == -ENOENT)
		return -ENOENT;
	return len >= 0 && (size_t)len == strlen(text) && memcmp(there, text, (size_t)len) == 0
		       ? 0
		       : -EEXIST;
}

static int add_new(struct links *links, const char *word, const char *text)
{
	int err = check_room(links);

	if (err)
		return err;
	if (symlinkat(text, links->dir, word) < 0)
		return -errno;
	links->count++;
	return 1;
}

static bool can_say(const char *text)
{
	return *text && strlen(text) < LINKS_TEXT_MAX;
}

int links_add(struct links *links, const char *word, const char *text)
{
	int ret = can_say(text) ? compare(links, word, text) : -EINVAL;

	if (ret == -ENOENT)
		ret = add_new(links, word, text);
	else
		return ret;
	/* Somebody else may have been first. */
	return ret == -EEXIST ? compare(links, word, text) : ret;
}

/* Renamed over what is there, so that whoever reads sees either. */
static int replace(struct links *links, const char *word, const char *text)
{
	char draft[32];

	snprintf(draft, sizeof(draft), ".draft-%d", (int)getpid());
	unlinkat(links->dir, draft, 0);
	if (symlinkat(text, links->dir, draft) < 0)
		return -errno;
	if (renameat(links->dir, draft, links->dir, word) == 0)
		return 1;
	int err = -errno;

	unlinkat(links->dir, draft, 0);
	return err;
}

int links_set(struct links *links, const char *word, const char *text)
{
	int ret = links_add(links, word, text);

	return ret == -EEXIST ? replace(links, word, text) : ret;
}

int links_remove(struct links *links, const char *word)
{
	if (unlinkat(links->dir, word, 0) < 0)
		return -errno;
	links->count -= links->count > 0;
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* 1: it is one of ours; it may be gone now. */
static int look_at(struct links *links, const char *word, links_fn each, void *arg)
{
	char text[LINKS_TEXT_MAX];
	struct stat st;
	enum link_verdict verdict;
	int err;

	if (links_read(links, word, text) < 0 ||
	    fstatat(links->dir, word, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	verdict =
		each(word, text,
		     (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec, arg);
	if (verdict != LINK_DROP)
		return verdict == LINK_KEEP;
	err = links_remove(links, word);
	return err && err != -ENOENT ? err : 1;
}

int links_each(struct links *links, links_fn each, void *arg, size_t *ret_strange)
{
	int fd = openat(links->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), got = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t strange = 0, entries = 0;

	if (!dir) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	while (got >= 0 && entries++ < LINKS_ENTRIES_MAX && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		got = look_at(links, entry->d_name, each, arg);
		strange += got == 0;
	}
	closedir(dir);
	if (got < 0)
		return got;
	*ret_strange = strange;
	return 0;
}
