/* SPDX-License-Identifier: MIT */
/*
 * A small /proc and /sys of a test's own below TMPDIR, for what no machine at hand has.
 */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new directory; its name is to be given to tree_remove(). */
static char *tree_new(void)
{
	const char *base = getenv("TMPDIR");
	char *tree = malloc(300);

	assert_non_null(tree);
	snprintf(tree, 300, "%s/memoir-unit-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(tree));
	return tree;
}

/* "proc/swaps" and its like, with the directories above it. */
static void tree_put(const char *tree, const char *path, const void *data, size_t len)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", tree, path);
	for (char *slash = full + strlen(tree) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static void tree_put_text(const char *tree, const char *path, const char *text)
{
	tree_put(tree, path, text, strlen(text));
}

static int tree_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void tree_remove(char *tree)
{
	nftw(tree, tree_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(tree);
}

#endif
