/*
 * What a library of auto_library.c offers, found as `auto_library`.
 */
#ifndef MEMOIR_TESTS_AUTO_LIBRARY_H
#define MEMOIR_TESTS_AUTO_LIBRARY_H

#include <stddef.h>

enum allocation {
	BY_MALLOC,
	BY_CALLOC,
	BY_REALLOC,
	BY_POSIX_MEMALIGN,
	BY_ALIGNED_ALLOC,
	BY_STRDUP,
	BY_NEW,
};

struct auto_library {
	void *(*map)(void *addr, size_t bytes, int prot, int flags, int fd);
	void *(*map_hidden)(void *addr, size_t bytes, int prot, int flags, int fd);
	void *(*allocate)(enum allocation how, void *block, size_t bytes);
};

#endif
