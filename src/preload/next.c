// SPDX-License-Identifier: MIT
/*
 * Finds what comes behind this library in the order of symbols.
 */
#include "preload/next.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <string.h>

static bool is_in_libc(const void *function)
{
	struct dl_find_object libc, object;

	return _dl_find_object((void *)gnu_get_libc_version, &libc) == 0 &&
	       _dl_find_object((void *)function, &object) == 0 &&
	       object.dlfo_link_map == libc.dlfo_link_map;
}

/* Tools that put themselves in the place of glibc's functions (valgrind) have headers of their own. */
static bool has_headers(void)
{
	const size_t bytes = 200, expected = 208;
	size_t *block = next.malloc(bytes), header;

	if (!block)
		return false;
	header = block[-1] & ~(size_t)7;
	next.free(block);
	return header == expected;
}

static void look_up(const char *name, void *ret_function)
{
	void *function = dlsym(RTLD_NEXT, name);

	memcpy(ret_function, &function, sizeof(function));
}

/* Threads that do this at once all find the same. */
__attribute__((constructor)) static void find(void)
{
	struct next found = { 0 };

	look_up("mmap", &found.mmap);
	look_up("munmap", &found.munmap);
	look_up("mremap", &found.mremap);
	look_up("prctl", &found.prctl);
	look_up("sbrk", &found.sbrk);
	look_up("brk", &found.brk);
	look_up("dlclose", &found.dlclose);
	look_up("malloc", &found.malloc);
	look_up("free", &found.free);
	look_up("calloc", &found.calloc);
	look_up("realloc", &found.realloc);
	look_up("memalign", &found.memalign);
	look_up("aligned_alloc", &found.aligned_alloc);
	look_up("posix_memalign", &found.posix_memalign);
	look_up("valloc", &found.valloc);
	look_up("pvalloc", &found.pvalloc);
	next = found;
	next.is_glibc = is_in_libc((const void *)found.malloc) &&
			is_in_libc((const void *)found.free) && has_headers();
}

/* ---- called first, by another library's constructor --------------------------------------------- */

static void *first_mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	find();
	return next.mmap(addr, bytes, prot, flags, fd, offset);
}

static int first_munmap(void *addr, size_t bytes)
{
	find();
	return next.munmap(addr, bytes);
}

static void *first_mremap(void *addr, size_t old_bytes, size_t new_bytes, int flags, ...)
{
	va_list rest;
	void *new_addr;

	va_start(rest, flags);
	new_addr = va_arg(rest, void *);
	va_end(rest);
	find();
	return next.mremap(addr, old_bytes, new_bytes, flags, new_addr);
}

static int first_prctl(int option, ...)
{
	unsigned long a[4];
	va_list rest;

	va_start(rest, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(rest, unsigned long);
	va_end(rest);
	find();
	return next.prctl(option, a[0], a[1], a[2], a[3]);
}

static void *first_sbrk(intptr_t increment)
{
	find();
	return next.sbrk(increment);
}

static int first_brk(void *addr)
{
	find();
	return next.brk(addr);
}

static int first_dlclose(void *handle)
{
	find();
	return next.dlclose(handle);
}

static void *first_malloc(size_t bytes)
{
	find();
	return next.malloc(bytes);
}

static void first_free(void *block)
{
	find();
	next.free(block);
}

static void *first_calloc(size_t count, size_t bytes)
{
	find();
	return next.calloc(count, bytes);
}

static void *first_realloc(void *block, size_t bytes)
{
	find();
	return next.realloc(block, bytes);
}

static void *first_memalign(size_t alignment, size_t bytes)
{
	find();
	return next.memalign(alignment, bytes);
}

static void *first_aligned_alloc(size_t alignment, size_t bytes)
{
	find();
	return next.aligned_alloc(alignment, bytes);
}

static int first_posix_memalign(void **ret_block, size_t alignment, size_t bytes)
{
	find();
	return next.posix_memalign(ret_block, alignment, bytes);
}

static void *first_valloc(size_t bytes)
{
	find();
	return next.valloc(bytes);
}

static void *first_pvalloc(size_t bytes)
{
	find();
	return next.pvalloc(bytes);
}

struct next next = {
	.mmap = first_mmap,
	.munmap = first_munmap,
	.mremap = first_mremap,
	.prctl = first_prctl,
	.sbrk = first_sbrk,
	.brk = first_brk,
	.dlclose = first_dlclose,
	.malloc = first_malloc,
	.free = first_free,
	.calloc = first_calloc,
	.realloc = first_realloc,
	.memalign = first_memalign,
	.aligned_alloc = first_aligned_alloc,
	.posix_memalign = first_posix_memalign,
	.valloc = first_valloc,
	.pvalloc = first_pvalloc,
};
