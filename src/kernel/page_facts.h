/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of one frame: its flags and how often it is mapped. Root only.
 */
#ifndef MEMOIR_KERNEL_PAGE_FACTS_H
#define MEMOIR_KERNEL_PAGE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/root.h"

struct page_files {
	int flags_fd;
	int count_fd;
};

/* Open both files. 0 or negative errno; -ENOENT: a kernel without CONFIG_PROC_PAGE_MONITOR. */
int page_files_open(const struct kroot *root, struct page_files *ret_files);
void page_files_close(struct page_files *files);

struct page_facts {
	uint64_t flags; /* KPAGE_… of kernel/kpage.h; of a tail, those of its head as well */
	/* Page table entries. Of large folios it is an average with CONFIG_NO_PAGE_MAPCOUNT (6.15). */
	uint64_t count;
};

/* About 0.5 µs, some more within large folios. 0, or -ENXIO beyond the end. */
int page_facts_read(const struct page_files *files, uint64_t frame, struct page_facts *ret_facts);

/*
 * Whether KPAGE_KSM means what it says: some kernels (6.12 among them) set it on every anonymous page. Tried
 * on a page of our own.
 */
bool page_files_tell_ksm(const struct page_files *files, const struct kroot *root);

#define KPAGE_KSM (1ull << 21)
#define KPAGE_THP (1ull << 22)

#endif
