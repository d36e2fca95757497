/* SPDX-License-Identifier: MIT */
/*
 * Bytes in memory that grow at the end.
 */
#ifndef MEMOIR_PRESENT_BUFFER_H
#define MEMOIR_PRESENT_BUFFER_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

/* All zero is an empty buffer. */
struct buffer {
	char *data; /* not NUL-terminated */
	size_t len;
	size_t room;
};

/* Room for `len` more bytes, to be advanced over by adding to buffer->len; NULL: no memory. */
static inline char *buffer_reserve(struct buffer *buffer, size_t len)
{
	if (buffer->room - buffer->len < len) {
		char *data = grow(buffer->data, &buffer->room, buffer->len + len, 1);

		if (!data)
			return NULL;
		buffer->data = data;
	}
	return buffer->data + buffer->len;
}

/* 0 or -ENOMEM. */
static inline int buffer_add(struct buffer *buffer, const char *bytes, size_t len)
{
	char *to = len ? buffer_reserve(buffer, len) : buffer->data;

	if (len && !to)
		return -ENOMEM;
	if (len)
		memcpy(to, bytes, len);
	buffer->len += len;
	return 0;
}

static inline void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

#endif
