/* SPDX-License-Identifier: MIT */
/*
 * memoir's own memory: advice on it, and how much of it there is.
 */
#ifndef MEMOIR_KERNEL_OWN_MEMORY_H
#define MEMOIR_KERNEL_OWN_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/root.h"

/*
 * Room for an array that will be large, to be freed by free() or NULL: from 4 MiB on huge pages from its first byte,
 * where the machine allows that. A fault takes 1.5 µs here, and without them there is one for each 4 KiB. What is not
 * touched costs nothing, but the last huge page does as a whole. Smaller ones malloc() has again for the next capture,
 * which it can't where they are aligned: a context that captures again and again would have four times as much.
 */
void *own_memory_array(size_t bytes);

/* What is in RAM because this process maps it. */
struct own_memory {
	uint64_t anon_bytes;
	uint64_t other_bytes; /* of files, and of the kernel's: what nobody else maps */
};

/* By /proc/self/smaps_rollup (4.14): it walks all of it, 10 ns a page. 0 or negative errno (-ENODATA). */
int own_memory_read(const struct kroot *root, struct own_memory *ret_own);

#endif
