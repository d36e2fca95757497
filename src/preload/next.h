/* SPDX-License-Identifier: MIT */
/*
 * The functions that this library stands in front of.
 */
#ifndef MEMOIR_PRELOAD_NEXT_H
#define MEMOIR_PRELOAD_NEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Each finds all of them when it is called first, so that they may be called at any time. */
struct next {
	void *(*mmap)(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
	int (*munmap)(void *addr, size_t bytes);
	void *(*mremap)(void *addr, size_t old_bytes, size_t new_bytes, int flags, ...);
	int (*prctl)(int option, ...);
	void *(*sbrk)(intptr_t increment);
	int (*brk)(void *addr);
	int (*dlclose)(void *handle);

	void *(*malloc)(size_t bytes);
	void (*free)(void *block);
	void *(*calloc)(size_t count, size_t bytes);
	void *(*realloc)(void *block, size_t bytes);
	void *(*memalign)(size_t alignment, size_t bytes);
	void *(*aligned_alloc)(size_t alignment, size_t bytes);
	int (*posix_memalign)(void **ret_block, size_t alignment, size_t bytes);
	void *(*valloc)(size_t bytes);
	void *(*pvalloc)(size_t bytes);

	/* These are glibc's malloc and free, and blocks have its headers. */
	bool is_glibc;
};
/* Hidden, so that a call is one jump. */
extern struct next next __attribute__((visibility("hidden")));

#endif
