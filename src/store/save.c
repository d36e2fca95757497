// SPDX-License-Identifier: MIT
/*
 * Saves a snapshot as one SQLite file, whole or not at all: written beside and renamed. Never
 * changes the snapshot, never writes into a file that is already there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/tables.h"

static int write_database(const char *path, const struct memoir_snapshot *s)
{
	struct writer w;

	if (!writer_open(&w, path))
		tables_put(&w, s);
	writer_close(&w);
	return w.err;
}

/* A rename over a device or a pipe would replace it, which nobody asking for a file means. */
static int check_target(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT && path[0] ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) ? 0 : -EINVAL;
}

/* "./" keeps SQLite from reading a meaning ("file:", ":memory:") into a relative name. */
static char *path_beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	int dir_len = slash ? (int)(slash - path) + 1 : 0;
	char *beside;

	if (asprintf(&beside, "%s%.*s%s", path[0] == '/' ? "" : "./", dir_len, path, name) < 0)
		return NULL;
	return beside;
}

static void sync_directory(const char *path)
{
	char *dir = path_beside(path, ".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	/* The file is whole and in its place: a directory that cannot be synced is no failure. */
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

static int write_and_rename(const struct memoir_snapshot *s, const char *path)
{
	char *temporary = path_beside(path, ".memoir-XXXXXX");
	int err;

	if (!temporary)
		return -ENOMEM;
	int fd = mkostemp(temporary, O_CLOEXEC); /* O_EXCL, 0600 less the umask */

	if (fd < 0) {
		err = -errno;
		free(temporary);
		return err;
	}
	err = write_database(temporary, s);
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err)
		unlink(temporary);
	else
		sync_directory(path);
	free(temporary);
	return err;
}

/* Past RLIMIT_FSIZE a write also raises SIGXFSZ, whose default is to kill: an error will do. */
static int save_without_sigxfsz(const struct memoir_snapshot *s, const char *path)
{
	const struct timespec now = { 0 };
	sigset_t xfsz, before, pending;

	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &xfsz, &before);
	int err = write_and_rename(s, path);

	if (!sigismember(&pending, SIGXFSZ))
		while (sigtimedwait(&xfsz, NULL, &now) > 0)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static const char *remedy(int err)
{
	switch (err) {
	case -ENOSPC:
	case -EDQUOT:
		return "; free some space or save to another file system";
	case -EFBIG:
		return "; the file size limit (ulimit -f) is too low";
	case -EINVAL:
		return "; it exists and is neither a file nor a link";
	default:
		return "";
	}
}

int memoir_snapshot_save(const struct memoir_snapshot *snapshot, const char *path,
			 struct memoir_error *error)
{
	int err = check_target(path);

	if (snapshot->without_regions)
		return error_set_about(
			error, -EINVAL, 0, path,
			"cannot save the snapshot as %s: it was captured without regions", path);
	if (!err && sqlite_load(error))
		return -ELIBACC;
	if (!err)
		err = save_without_sigxfsz(snapshot, path);
	if (err)
		return error_set_about(error, err, 0, path, "cannot save the snapshot as %s: %s%s",
				       path, strerror(-err), remedy(err));
	return 0;
}
