// SPDX-License-Identifier: MIT
/*
 * Reads and writes the files of cgroups of version 2; whom to freeze is for others to say.
 */
#include "kernel/cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_STEP_NS 100000

const char *cgroup2_dir(const struct kroot *root)
{
	static const char *const places[] = { "sys/fs/cgroup", "sys/fs/cgroup/unified" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd = kroot_fd(root, "%s/cgroup.controllers", places[i]);

		if (fd >= 0) {
			close(fd);
			return places[i];
		}
	}
	return NULL;
}

int cgroup2_path(const struct kroot *root, pid_t pid, char *buf, size_t size)
{
	char text[8192], *next = text, *line;
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/%d/cgroup", pid);

	if (len < 0)
		return len == -ENOENT ? -ESRCH : (int)len;
	while ((line = strsep(&next, "\n")) && *line) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		if (strlen(line + 3) >= size)
			return -ENAMETOOLONG;
		memcpy(buf, line + 3, strlen(line + 3) + 1);
		return 0;
	}
	return -ENODATA;
}

static ssize_t read_of(const struct kroot *root, const char *path, const char *file, char *buf,
		       size_t size)
{
	const char *dir = cgroup2_dir(root);

	return dir ? kroot_read(root, buf, size, "%s%s/%s", dir, path, file) : -ENOENT;
}

int cgroup2_each(const struct kroot *root, const char *path, int (*each)(pid_t pid, void *arg),
		 void *arg)
{
	struct kbuf text = { 0 };
	const char *dir = cgroup2_dir(root);
	ssize_t len = dir ? kroot_slurp(root, &text, "%s%s/cgroup.procs", dir, path) : -ENOENT;
	int ret = len < 0 ? (int)len : 0;
	char *next = text.data, *line;

	while (ret == 0 && next && (line = strsep(&next, "\n")) && *line)
		ret = each((pid_t)strtol(line, NULL, 10), arg);
	kbuf_free(&text);
	return ret;
}

/* The number behind a word that begins a line. */
static bool number_of(const char *text, const char *word, uint64_t *ret_number)
{
	size_t len = strlen(word);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, word, len) == 0 && at[len] == ' ') {
			*ret_number = strtoull(at + len, NULL, 10);
			return true;
		}
	}
	return false;
}

bool cgroup2_is_leaf(const struct kroot *root, const char *path)
{
	char text[1024];
	uint64_t count;
	ssize_t len = read_of(root, path, "cgroup.stat", text, sizeof(text));

	return len > 0 && number_of(text, "nr_descendants", &count) && count == 0;
}

int cgroup2_frozen(const struct kroot *root, const char *path)
{
	char text[1024];
	uint64_t frozen;
	ssize_t len = read_of(root, path, "cgroup.freeze", text, sizeof(text));

	if (len < 0)
		return (int)len;
	if (*text == '1')
		return 1;
	len = read_of(root, path, "cgroup.events", text, sizeof(text));
	if (len < 0)
		return (int)len;
	return number_of(text, "frozen", &frozen) && frozen;
}

int cgroup2_freezer(const struct kroot *root, const char *path)
{
	const char *dir = cgroup2_dir(root);

	return dir ? kroot_fd_control(root, "%s%s/cgroup.freeze", dir, path) : -ENOENT;
}

int cgroup2_freeze(int freezer, bool freeze)
{
	return pwrite(freezer, freeze ? "1" : "0", 1, 0) < 0 ? -errno : 0;
}

int cgroup2_wait_frozen(const struct kroot *root, const char *path, unsigned int ms)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_NS };
	uint64_t steps = (uint64_t)ms * 1000000 / WAIT_STEP_NS, frozen;
	char text[1024];

	for (uint64_t i = 0; i <= steps; i++) {
		ssize_t len = read_of(root, path, "cgroup.events", text, sizeof(text));

		if (len < 0)
			return (int)len;
		if (number_of(text, "frozen", &frozen) && frozen)
			return 0;
		(void)nanosleep(&step, NULL);
	}
	return -ETIMEDOUT;
}

int cgroup2_reclaim(const struct kroot *root, const char *path, uint64_t bytes)
{
	const char *dir = cgroup2_dir(root);
	int fd = dir ? kroot_fd_control(root, "%s%s/memory.reclaim", dir, path) : -ENOENT;
	char text[32];

	if (fd < 0)
		return fd;
	int len = snprintf(text, sizeof(text), "%" PRIu64, bytes);
	int err = write(fd, text, (size_t)len) < 0 ? -errno : 0;

	close(fd);
	return err;
}

static uint64_t usage_of(const struct kroot *root, const char *path, const char *file)
{
	char text[64];

	return read_of(root, path, file, text, sizeof(text)) > 0 ? strtoull(text, NULL, 10)
								 : UINT64_MAX;
}

void cgroup2_usage(const struct kroot *root, const char *path, uint64_t *ret_ram_bytes,
		   uint64_t *ret_swap_bytes)
{
	*ret_ram_bytes = usage_of(root, path, "memory.current");
	*ret_swap_bytes = usage_of(root, path, "memory.swap.current");
}
