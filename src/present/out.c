// SPDX-License-Identifier: MIT
/*
 * Buffered output to a file descriptor; formats nothing.
 */
#include "present/out.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/grow.h"

/* From here on writing twice costs less than copying. */
#define LONG_BYTES (OUT_ROOM / 4)

void out_init(struct out *out, int fd)
{
	out->fd = fd;
	out->error = 0;
	out->len = 0;
	out->room = OUT_ROOM;
	out->data = out->own;
}

void out_free(struct out *out)
{
	if (out->data != out->own)
		free(out->data);
	out_init(out, OUT_KEEP);
}

static void write_all(struct out *out, const char *bytes, size_t len)
{
	size_t done = 0;

	while (!out->error && done < len) {
		ssize_t written = write(out->fd, bytes + done, len - done);

		if (written > 0)
			done += (size_t)written;
		else if (written == 0)
			out->error = -EIO;
		else if (errno != EINTR)
			out->error = -errno;
	}
}

int out_flush(struct out *out)
{
	write_all(out, out->data, out->len);
	out->len = 0;
	return out->error;
}

/* What is kept moves to where there is more room; without memory it is lost, and that is an error. */
static void keep_more(struct out *out, size_t len)
{
	bool own = out->data == out->own;
	size_t room = own ? 0 : out->room;
	char *data = grow(own ? NULL : out->data, &room, out->len + len, 1);

	if (!data) {
		out->error = -ENOMEM;
		out->len = 0;
		return;
	}
	if (own)
		memcpy(data, out->own, out->len);
	out->data = data;
	out->room = room;
}

void out_make_room(struct out *out, size_t len)
{
	if (out->fd == OUT_KEEP)
		keep_more(out, len);
	else
		(void)out_flush(out);
}

void out_long(struct out *out, const char *bytes, size_t len)
{
	if (out->fd != OUT_KEEP && len >= LONG_BYTES) {
		(void)out_flush(out);
		write_all(out, bytes, len);
		return;
	}
	if (out->room - out->len < len)
		out_make_room(out, len);
	if (out->room - out->len < len)
		return; /* no memory */
	memcpy(out->data + out->len, bytes, len);
	out->len += len;
}
