// SPDX-License-Identifier: MIT
/*
 * Open files that were listed along with the tasks (bpf/walk_files.h). What their paths are, /proc/PID/fd is asked, once
 * for each file; draws no conclusions.
 */
#include "kernel/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/grow.h"
#include "base/strpool.h"
#include "kernel/walk_skeleton.h"

#include "kernel/files_stream.h"

#define PATH_BYTES 4096

/* What the fd leads to now may be another file. */
static bool is_still(const struct kroot *root, const struct file_record *record)
{
	struct statx now;

	return kroot_stat(root, &now, "proc/%u/task/%u/fd/%u", record->tgid, record->tid,
			  record->fd) == 0 &&
	       (record->stacked || (now.stx_ino == record->inode &&
				    (now.stx_dev_major << 20 | now.stx_dev_minor) == record->dev));
}

/* Empty where it was closed meanwhile. */
static void ask(const struct kroot *root, const struct file_record *record, char path[PATH_BYTES])
{
	ssize_t len = kroot_readlink(root, path, PATH_BYTES, "proc/%u/task/%u/fd/%u", record->tgid,
				     record->tid, record->fd);

	if (len < 0 || !is_still(root, record))
		path[0] = '\0';
}

/* By their address_space: who has it open again has the same file. */
struct paths {
	const struct kroot *root;
	struct strpool *pool;
	struct u64map index;
	const char **path;
	size_t count, room;
};

static int path_of(struct paths *paths, const struct file_record *record, const char **ret_path)
{
	uint32_t known = u64map_get(&paths->index, record->mapping);
	char path[PATH_BYTES];
	const char **all;

	if (known != U64MAP_NONE) {
		*ret_path = paths->path[known];
		return 0;
	}
	ask(paths->root, record, path);
	all = grow(paths->path, &paths->room, paths->count + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	paths->path = all;
	*ret_path = all[paths->count] = strpool_add(paths->pool, path, strlen(path));
	if (!*ret_path)
		return -ENOMEM;
	/* What could not be told by this fd may be by the next one. */
	return *path ? u64map_set(&paths->index, record->mapping, (uint32_t)paths->count++) : 0;
}

static int each_with_path(struct walk *walk, struct paths *paths, open_file_fn each, void *arg)
{
	int err = paths->pool ? 0 : -ENOMEM;

	for (size_t i = 0; i < walk->file_count && !err; i++) {
		const char *path;

		err = path_of(paths, &walk->files[i], &path);
		if (!err) {
			struct open_file file = files_of_record(&walk->files[i], path);

			err = each(&file, arg);
		}
	}
	return err;
}

int files_listed_each(struct walk *walk, bool with_paths, open_file_fn each, void *arg)
{
	int err = 0;

	if (!walk->files_listed)
		return -ENODATA;
	if (with_paths) {
		struct paths paths = { .root = walk->root, .pool = strpool_new() };

		err = each_with_path(walk, &paths, each, arg);
		strpool_free(paths.pool);
		u64map_free(&paths.index);
		free(paths.path);
		return err;
	}
	for (size_t i = 0; i < walk->file_count && !err; i++) {
		struct open_file file = files_of_record(&walk->files[i], NULL);

		err = each(&file, arg);
	}
	return err;
}
