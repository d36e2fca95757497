// SPDX-License-Identifier: MIT
/*
 * Reads and splits /proc/PID/fdinfo/FD; knows no key.
 */
#include "kernel/fdinfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *trim(char *text, char *end)
{
	while (end > text && strchr(" \t", end[-1]))
		end--;
	*end = '\0';
	return text + strspn(text, " \t");
}

void fdinfo_parse(char *text, size_t len, fdinfo_line_fn *each, void *arg)
{
	char *end = text + len;

	for (char *line = text, *next; line < end; line = next) {
		char *stop = memchr(line, '\n', (size_t)(end - line));

		if (!stop)
			stop = end;
		next = stop + 1;
		char *colon = memchr(line, ':', (size_t)(stop - line));
		char *value = colon ? trim(colon + 1, stop) : stop;
		char *key = trim(line, colon ? colon : stop);

		each(key, colon ? value : "", arg);
	}
}

/* seq_file hands out a page or a record at a time. */
static ssize_t read_all(int fd, char *text, size_t room)
{
	size_t len = 0;
	ssize_t got = 1;

	while (len < room && got > 0) {
		got = read(fd, text + len, room - len);
		if (got < 0)
			return -errno;
		len += (size_t)got;
	}
	/* A line that was cut in two says something else. */
	while (len == room && len > 0 && text[len - 1] != '\n')
		room = --len;
	return (ssize_t)len;
}

int fdinfo_each(const struct kroot *root, pid_t pid, pid_t tid, int fd, fdinfo_line_fn *each,
		void *arg)
{
	int file = kroot_fd(root, "proc/%d/task/%d/fdinfo/%d", pid, tid ? tid : pid, fd);
	char *text = file < 0 ? NULL : malloc(FDINFO_BYTES_MAX + 1);
	ssize_t len = file < 0 ? file : -ENOMEM;

	if (text)
		len = read_all(file, text, FDINFO_BYTES_MAX);
	if (file >= 0)
		close(file);
	if (len >= 0) {
		text[len] = '\0';
		fdinfo_parse(text, (size_t)len, each, arg);
	}
	free(text);
	return len < 0 ? (int)len : 0;
}
