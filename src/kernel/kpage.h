/* SPDX-License-Identifier: MIT */
/*
 * /proc/kpageflags and /proc/kpagecount: what the kernel says of a frame. Root only.
 */
#ifndef MEMOIR_KERNEL_KPAGE_H
#define MEMOIR_KERNEL_KPAGE_H

#include <stdint.h>

#include "kernel/root.h"

#define KPAGE_SLAB (1ull << 7)
#define KPAGE_ZERO (1ull << 24) /* the zero page, small or huge */

struct kpage {
	int flags_fd;
};

int kpage_open(const struct kroot *root, struct kpage *ret_kpage);
void kpage_close(struct kpage *kpage);

/* The flags of one frame, about 0.25 µs. 0, or -ENXIO beyond the end. */
int kpage_flags(const struct kpage *kpage, uint64_t frame, uint64_t *ret_flags);

/* One more than the last frame there is. */
uint64_t kpage_end(const struct kpage *kpage);

#endif
