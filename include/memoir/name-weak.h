/* SPDX-License-Identifier: MIT */
/**
 * Names for programs that do not link libmemoir-name: where it is there (linked or preloaded) memory is
 * named, where it is not a call costs one load and one predictable branch. Nothing else is needed.
 */
#ifndef MEMOIR_NAME_WEAK_H
#define MEMOIR_NAME_WEAK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

extern int memoir_name(void *addr, size_t len, const char *name) __attribute__((weak));

/** As memoir_name() (memoir/name.h); 0 where the library is not there. */
static inline int memoir_name_weak(void *addr, size_t len, const char *name)
{
	return __builtin_expect(memoir_name != NULL, 0) ? memoir_name(addr, len, name) : 0;
}

#ifdef __cplusplus
}
#endif

#endif
