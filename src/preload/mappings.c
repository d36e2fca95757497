// SPDX-License-Identifier: MIT
/*
 * In front of the functions by which a program maps memory and takes mappings away: what they bring has a
 * name by who called, and names go when memory does. Good wherever the functions themselves are: in signal
 * handlers, in allocators, before any constructor.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/callers.h"
#include "preload/next.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef PR_SET_VMA_ANON_NAME
#define PR_SET_VMA_ANON_NAME 0
#endif

#define CALLER __builtin_return_address(0)

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the headers' are not for us */

int prctl(int option, ...);
int dlclose(void *handle);

static bool in_table(void)
{
	return memoir_name_places() & MEMOIR_NAMES_IN_TABLE;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)getpagesize();

	return (bytes + page - 1) & ~(page - 1);
}

/* The kernel takes names away by itself. */
static void forget(void *addr, size_t bytes)
{
	if (in_table())
		memoir_name(addr, bytes, NULL);
}

/* ---- mmap ----------------------------------------------------------------------------------- */

/* Shared memory only the kernel gives names. */
static bool takes_name(int flags)
{
	return flags & MAP_ANONYMOUS && !(flags & MAP_HUGETLB) &&
	       ((flags & MAP_TYPE) == MAP_PRIVATE || memoir_name_places() & MEMOIR_NAMES_IN_KERNEL);
}

/* Without a name, it must not have that of what was there before, and went unseen. */
static void name_mapping(void *addr, size_t bytes, int flags, const void *caller)
{
	char name[MEMOIR_NAME_MAX];

	if (!takes_name(flags) || !memoir_name_places())
		return;
	callers_name(caller, name);
	memoir_name(addr, bytes, *name ? name : NULL);
}

void *mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	void *got;

	if (callers_is_names(CALLER))
		return next.mmap(addr, bytes, prot, flags, fd, offset);
	/* Before: nothing new is ever seen with an old name. */
	if (flags & MAP_FIXED)
		forget(addr, whole_pages(bytes));
	got = next.mmap(addr, bytes, prot, flags, fd, offset);
	if (got != MAP_FAILED)
		name_mapping(got, whole_pages(bytes), flags, CALLER);
	return got;
}

/* The same where off_t has 64 bits. */
void *mmap64(void *addr, size_t bytes, int prot, int flags, int fd, off64_t offset)
	__attribute__((alias("mmap")));

/* Names first: as soon as the memory is gone another thread may get it, and name it. */
int munmap(void *addr, size_t bytes)
{
	if (!callers_is_names(CALLER) && (uintptr_t)addr == whole_pages((uintptr_t)addr) && bytes)
		forget(addr, whole_pages(bytes));
	return next.munmap(addr, bytes);
}

void *mremap(void *addr, size_t old_bytes, size_t new_bytes, int flags, ...)
{
	void *new_addr, *moved;
	va_list rest;
	int err;

	va_start(rest, flags);
	new_addr = va_arg(rest, void *);
	va_end(rest);
	if (callers_is_names(CALLER) || !in_table())
		return next.mremap(addr, old_bytes, new_bytes, flags, new_addr);
	err = memoir_remap_flags(addr, whole_pages(old_bytes), whole_pages(new_bytes), flags,
				 new_addr, &moved);
	if (!err)
		return moved;
	errno = -err;
	return MAP_FAILED;
}

/* ---- brk ------------------------------------------------------------------------------------ */

/* malloc of glibc does not come by here: the heap that it grows is known as such. */
static void name_heap(char *before, char *after, const void *caller)
{
	char name[MEMOIR_NAME_MAX];

	if (before == after || !in_table())
		return;
	if (after < before) {
		memoir_name(after, (size_t)(before - after), NULL);
		return;
	}
	callers_name(caller, name);
	memoir_name(before, (size_t)(after - before), *name ? name : NULL);
}

void *sbrk(intptr_t increment)
{
	char *before = next.sbrk(increment);

	if ((intptr_t)before != -1)
		name_heap(before, before + increment, CALLER);
	return before;
}

int brk(void *addr)
{
	char *before = next.sbrk(0);
	int result = next.brk(addr);

	if (result == 0)
		name_heap(before, addr, CALLER);
	return result;
}

/* ---- names that the program gives ----------------------------------------------------------- */

/* As the kernel would, but for what is mapped there, which a table does not ask. */
static int set_name(uintptr_t start, size_t bytes, const char *name)
{
	size_t whole = whole_pages(bytes);
	int err = start != whole_pages(start) || (bytes && !whole)
			  ? -EINVAL
			  : memoir_name((void *)start, whole, name);

	if (!err)
		return 0;
	errno = -err;
	return -1;
}

int prctl(int option, ...)
{
	unsigned long a[4];
	va_list rest;

	va_start(rest, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(rest, unsigned long);
	va_end(rest);
	if (option == PR_SET_VMA && a[0] == PR_SET_VMA_ANON_NAME && !callers_is_names(CALLER) &&
	    in_table())
		return set_name(a[1], a[2], (const char *)a[3]);
	return next.prctl(option, a[0], a[1], a[2], a[3]);
}

/* ---- libraries ------------------------------------------------------------------------------ */

int dlclose(void *handle)
{
	int result = next.dlclose(handle);

	callers_forget();
	return result;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
