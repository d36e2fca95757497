/*
 * A library that asks for memory, built twice by different names: who asked has to be told apart. Its calls
 * are no tail calls, which would leave no trace of it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "auto_library.h"

static void *lib_map(void *addr, size_t bytes, int prot, int flags, int fd);

/* Exported, so that there is a symbol to tell. */
__attribute__((visibility("default"))) void *map_memory(void *addr, size_t bytes, int prot,
							int flags, int fd);
__attribute__((visibility("default"))) void *allocate(enum allocation how, void *block,
						      size_t bytes);

void *map_memory(void *addr, size_t bytes, int prot, int flags, int fd)
{
	return mmap(addr, bytes, prot, flags, fd, 0);
}

/* Not exported: only the library can be told. */
static void *lib_map(void *addr, size_t bytes, int prot, int flags, int fd)
{
	return mmap(addr, bytes, prot, flags, fd, 0);
}

void *allocate(enum allocation how, void *block, size_t bytes)
{
	void *aligned = NULL;

	switch (how) {
	case BY_MALLOC:
		return malloc(bytes);
	case BY_CALLOC:
		return calloc(2, bytes / 2);
	case BY_REALLOC:
		return realloc(block, bytes);
	case BY_POSIX_MEMALIGN:
		return posix_memalign(&aligned, 1 << 16, bytes) == 0 ? aligned : NULL;
	case BY_ALIGNED_ALLOC:
		return aligned_alloc(1 << 16, bytes);
	case BY_STRDUP:
		return strdup(block);
	case BY_NEW: {
		void *(*operator_new)(size_t) = block;

		return operator_new(bytes);
	}
	default:
		return NULL;
	}
}

__attribute__((visibility("default"))) const struct auto_library auto_library = {
	.map = map_memory,
	.map_hidden = lib_map,
	.allocate = allocate,
};
