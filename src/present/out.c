// SPDX-License-Identifier: MIT
/*
 * Buffered output to a file descriptor; formats nothing.
 */
#include "present/out.h"

#include <errno.h>
#include <unistd.h>

void out_init(struct out *out, int fd)
{
	out->fd = fd;
	out->error = 0;
	out->len = 0;
}

int out_flush(struct out *out)
{
	size_t done = 0;

	while (!out->error && done < out->len) {
		ssize_t written = write(out->fd, out->data + done, out->len - done);

		if (written > 0)
			done += (size_t)written;
		else if (written == 0)
			out->error = -EIO;
		else if (errno != EINTR)
			out->error = -errno;
	}
	out->len = 0;
	return out->error;
}

void out_long(struct out *out, const char *bytes, size_t len)
{
	while (len) {
		size_t room = OUT_ROOM - out->len;
		size_t part = len < room ? len : room;

		memcpy(out->data + out->len, bytes, part);
		out->len += part;
		bytes += part;
		len -= part;
		if (out->len == OUT_ROOM)
			(void)out_flush(out);
	}
}
