/* SPDX-License-Identifier: MIT */
/*
 * What classes of buffers share: looking at paths, and reading the numbers of fdinfo.
 */
#ifndef MEMOIR_BUFFERS_CLASS_H
#define MEMOIR_BUFFERS_CLASS_H

#include <string.h>

#include "buffers/buffer.h"

extern const struct buffer_class dmabuf_class, udmabuf_class, memfd_class, shmem_class,
	shared_anon_class, sysv_class, hugetlb_class, secretmem_class, drm_class, io_uring_class,
	guest_memfd_class;

static inline bool path_starts(const struct buffer_clues *clues, const char *with)
{
	return clues->path && strncmp(clues->path, with, strlen(with)) == 0;
}

/* Copy text, cut to fit. */
void copy_text(char *to, size_t room, const char *text, size_t len);

/* The path from `skip` bytes on, without the " (deleted)" that the kernel puts behind it. */
void tag_by_path(const struct buffer_clues *clues, size_t skip, bool deleted,
		 struct buffer_facts *facts);

/* A number of bytes: "123", "45 KiB", "6 MiB". False where it is none, or too large. */
bool parse_bytes(const char *value, uint64_t *ret_bytes);

/* a + b, or the largest number there is. */
static inline uint64_t sum_bytes(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

#endif
