/* SPDX-License-Identifier: MIT */
/*
 * Buffered output to a file descriptor whose failures are remembered, not lost.
 */
#ifndef MEMOIR_PRESENT_OUT_H
#define MEMOIR_PRESENT_OUT_H

#include <stddef.h>
#include <string.h>

#define OUT_ROOM ((size_t)65536)
/* The most that out_reserve() may be asked for. */
#define OUT_RESERVE_MAX ((size_t)4096)
/* In place of an fd: nothing is written, all of it is kept at `data`. */
#define OUT_KEEP (-1)

struct out {
	int fd;
	int error; /* negative errno of the first write that failed; what follows is dropped */
	size_t len, room;
	char *data; /* `own`, or where what is kept got larger, memory of its own */
	char own[OUT_ROOM];
};

/* To be freed by out_free() only where it keeps. */
void out_init(struct out *out, int fd);
void out_free(struct out *out);

/* Write what is buffered. 0 or out->error (-EPIPE, -ENOSPC …). */
int out_flush(struct out *out);

/* Append bytes of any length; many at once are not copied first. */
void out_long(struct out *out, const char *bytes, size_t len);

/* Make room for this many bytes (at most OUT_RESERVE_MAX), whatever becomes of those that are there. */
void out_make_room(struct out *out, size_t len);

/* Room for `len` bytes (at most OUT_RESERVE_MAX) at the returned place; then out_advance(). */
static inline char *out_reserve(struct out *out, size_t len)
{
	if (out->room - out->len < len)
		out_make_room(out, len);
	return out->data + out->len;
}

static inline void out_advance(struct out *out, size_t len)
{
	out->len += len;
}

static inline void out_bytes(struct out *out, const char *bytes, size_t len)
{
	if (out->room - out->len < len) {
		out_long(out, bytes, len);
		return;
	}
	memcpy(out->data + out->len, bytes, len);
	out->len += len;
}

static inline void out_char(struct out *out, char c)
{
	*out_reserve(out, 1) = c;
	out->len++;
}

static inline void out_text(struct out *out, const char *text)
{
	out_bytes(out, text, strlen(text));
}

#endif
