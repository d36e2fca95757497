// SPDX-License-Identifier: MIT
/*
 * Opens and reads files of /proc and /sys below a root; knows no file's meaning.
 */
#include "kernel/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct kroot {
	int dir_fd;
	bool live;
};

int kroot_open(const char *prefix, struct kroot **ret_root)
{
	struct kroot *root = calloc(1, sizeof(*root));

	if (!root)
		return -ENOMEM;
	root->live = !prefix;
	root->dir_fd = open(prefix ? prefix : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root->dir_fd < 0) {
		int err = -errno;

		free(root);
		return err;
	}
	*ret_root = root;
	return 0;
}

void kroot_close(struct kroot *root)
{
	if (!root)
		return;
	close(root->dir_fd);
	free(root);
}

bool kroot_is_live(const struct kroot *root)
{
	return root->live;
}

/* Long enough for a path of cgroups. */
#define PATH_BYTES 4352

static __attribute__((format(printf, 3, 0))) int kroot_vfd(const struct kroot *root, int flags,
							   const char *format, va_list args)
{
	char path[PATH_BYTES];
	int len = vsnprintf(path, sizeof(path), format, args);

	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = openat(root->dir_fd, path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int kroot_fd(const struct kroot *root, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int fd = kroot_vfd(root, O_RDONLY, format, args);

	va_end(args);
	return fd;
}

ssize_t kroot_read(const struct kroot *root, char *buf, size_t size, const char *format, ...)
{
	va_list args;
	size_t len = 0;
	ssize_t got;

	va_start(args, format);
	int fd = kroot_vfd(root, O_RDONLY, format, args);

	va_end(args);
	if (fd < 0)
		return fd;
	while (len < size && (got = read(fd, buf + len, size - len)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int err = -errno;

			close(fd);
			return err;
		}
		len += (size_t)got;
	}
	close(fd);
	if (len == size)
		return -E2BIG;
	buf[len] = '\0';
	return (ssize_t)len;
}

ssize_t kroot_readlink(const struct kroot *root, char *buf, size_t size, const char *format, ...)
{
	char path[256];
	va_list args;

	va_start(args, format);
	int path_len = vsnprintf(path, sizeof(path), format, args);

	va_end(args);
	if (path_len < 0 || (size_t)path_len >= sizeof(path))
		return -ENAMETOOLONG;
	ssize_t len = readlinkat(root->dir_fd, path, buf, size);

	if (len < 0)
		return -errno;
	if ((size_t)len == size)
		return -E2BIG;
	buf[len] = '\0';
	return len;
}

int kroot_write(const struct kroot *root, const char *text, const char *format, ...)
{
	char path[256];
	va_list args;
	ssize_t put;

	if (!root->live)
		return -EOPNOTSUPP;
	va_start(args, format);
	int len = vsnprintf(path, sizeof(path), format, args);

	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = openat(root->dir_fd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	do {
		put = write(fd, text, strlen(text));
	} while (put < 0 && errno == EINTR);
	int err = put < 0 ? -errno : (size_t)put == strlen(text) ? 0 : -EIO;

	close(fd);
	return err;
}

int kroot_stat(const struct kroot *root, struct statx *ret_stat, const char *format, ...)
{
	char path[PATH_BYTES];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(path, sizeof(path), format, args);

	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	return statx(root->dir_fd, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME,
		     ret_stat) < 0
		       ? -errno
		       : 0;
}

bool kroot_may_write(const struct kroot *root, const char *format, ...)
{
	char path[PATH_BYTES];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(path, sizeof(path), format, args);

	va_end(args);
	return len >= 0 && (size_t)len < sizeof(path) &&
	       faccessat(root->dir_fd, path, W_OK, AT_EACCESS) == 0;
}

int kroot_fd_control(const struct kroot *root, const char *format, ...)
{
	va_list args;

	if (!root->live)
		return -EROFS;
	va_start(args, format);
	int fd = kroot_vfd(root, O_WRONLY, format, args);

	va_end(args);
	return fd;
}

static bool is_file(int fd, uint32_t dev, uint64_t inode)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) == 0 &&
	       S_ISREG(st.stx_mode) && st.stx_ino == inode &&
	       (st.stx_dev_major << 20 | st.stx_dev_minor) == dev;
}

int kroot_fd_of(const struct kroot *root, uint32_t dev, uint64_t inode, const char *format, ...)
{
	char path[256];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(path, sizeof(path), format, args);

	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	int pin = openat(root->dir_fd, path, O_PATH | O_CLOEXEC), fd = -ESTALE;

	if (pin < 0)
		return -errno;
	if (is_file(pin, dev, inode)) {
		snprintf(path, sizeof(path), "proc/self/fd/%d", pin);
		fd = openat(root->dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	close(pin);
	return fd;
}

/* Procfs hands out a page at a time unless the buffer is larger: 64 KiB keeps the calls few. */
#define SLURP_STEP (64 * 1024)

ssize_t kroot_slurp(const struct kroot *root, struct kbuf *buf, const char *format, ...)
{
	va_list args;
	ssize_t got = 0;

	va_start(args, format);
	int fd = kroot_vfd(root, O_RDONLY, format, args);

	va_end(args);
	if (fd < 0)
		return fd;
	buf->len = 0;
	for (;;) {
		if (buf->room - buf->len < SLURP_STEP + 1) {
			size_t room = buf->room ? buf->room * 2 : 4 * SLURP_STEP;
			char *data = realloc(buf->data, room);

			if (!data) {
				close(fd);
				return -ENOMEM;
			}
			buf->data = data;
			buf->room = room;
		}
		got = read(fd, buf->data + buf->len, buf->room - buf->len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		buf->len += (size_t)got;
	}
	int err = got < 0 ? -errno : 0;

	close(fd);
	if (err)
		return err;
	buf->data[buf->len] = '\0';
	return (ssize_t)buf->len;
}

void kbuf_free(struct kbuf *buf)
{
	free(buf->data);
	*buf = (struct kbuf){ 0 };
}
