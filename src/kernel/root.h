/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel is read from: "/" or a captured tree that tests put in its place.
 * All files of /proc and /sys are opened through here; nothing else may open them.
 */
#ifndef MEMOIR_KERNEL_ROOT_H
#define MEMOIR_KERNEL_ROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kroot;

/* Open "/" (prefix NULL) or a directory holding proc/ and sys/. 0 or negative errno. */
int kroot_open(const char *prefix, struct kroot **ret_root);
void kroot_close(struct kroot *root);

/* Whether this is the running machine: only then make ioctls, BPF and PID-directed calls sense. */
bool kroot_is_live(const struct kroot *root);

/* Open "proc/…" or "sys/…" (printf style, no leading slash) for reading. fd or negative errno. */
int kroot_fd(const struct kroot *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Read a whole small file into buf, NUL-terminated. Returns its length, -E2BIG if it does not fit,
 * or another negative errno (-ESRCH or -ENOENT when the process is gone).
 */
ssize_t kroot_read(const struct kroot *root, char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The target of a symbolic link, NUL-terminated. Its length or negative errno; -E2BIG if it does not fit. */
ssize_t kroot_readlink(const struct kroot *root, char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Write a text into a file that is there, in one write(2). 0 or negative errno; -EOPNOTSUPP on a captured
 * tree, which is never written to.
 */
int kroot_write(const struct kroot *root, const char *text, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The attributes of what a path leads to, and when it was made where that is told, links followed, as the kernel
 * has them: no server is asked.
 */
struct statx;
int kroot_stat(const struct kroot *root, struct statx *ret_stat, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether the caller may write to what a path leads to, with the rights by which it acts. */
bool kroot_may_write(const struct kroot *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Open a control file of a cgroup for writing, by a path below the root. fd or negative errno; -EROFS
 * where the root is a captured tree: nothing of the machine may be changed by what that says.
 */
int kroot_fd_control(const struct kroot *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Open for reading what a link of /proc leads to, if that is the regular file of this device
 * (major << 20 | minor) and inode: nothing else is ever opened, and leases are not waited for.
 * fd, -ESTALE, or another negative errno.
 */
int kroot_fd_of(const struct kroot *root, uint32_t dev, uint64_t inode, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A file of any length read into one growing buffer that is reused from call to call. */
struct kbuf {
	char *data;
	size_t len;
	size_t room;
};
ssize_t kroot_slurp(const struct kroot *root, struct kbuf *buf, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void kbuf_free(struct kbuf *buf);

#endif
