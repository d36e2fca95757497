/* SPDX-License-Identifier: MIT */
/*
 * /proc/kpageflags and /proc/kpagecount: what the kernel says of a frame. Root only.
 */
#ifndef MEMOIR_KERNEL_KPAGE_H
#define MEMOIR_KERNEL_KPAGE_H

#include <stdint.h>

#include "kernel/root.h"

/* include/uapi/linux/kernel-page-flags.h; the last one is of the kernel's own. */
#define KPAGE_UPTODATE (1ull << 3)
#define KPAGE_DIRTY (1ull << 4)
#define KPAGE_LRU (1ull << 5)
#define KPAGE_SLAB (1ull << 7)
#define KPAGE_WRITEBACK (1ull << 8)
#define KPAGE_BUDDY (1ull << 10)
#define KPAGE_MMAP (1ull << 11)
#define KPAGE_ANON (1ull << 12)
#define KPAGE_SWAPCACHE (1ull << 13)
#define KPAGE_SWAPBACKED (1ull << 14)
#define KPAGE_HEAD (1ull << 15)
#define KPAGE_TAIL (1ull << 16)
#define KPAGE_HUGE (1ull << 17)
#define KPAGE_UNEVICTABLE (1ull << 18)
#define KPAGE_HWPOISON (1ull << 19)
#define KPAGE_NOPAGE (1ull << 20)
#define KPAGE_OFFLINE (1ull << 23)
#define KPAGE_ZERO (1ull << 24) /* the zero page, small or huge */
#define KPAGE_PGTABLE (1ull << 26)
#define KPAGE_RESERVED (1ull << 32)

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
