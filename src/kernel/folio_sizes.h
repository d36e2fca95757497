/* SPDX-License-Identifier: MIT */
/*
 * Large anonymous folios: whether some may be mapped other than as a whole, and how large they are.
 */
#ifndef MEMOIR_KERNEL_FOLIO_SIZES_H
#define MEMOIR_KERNEL_FOLIO_SIZES_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/kpage.h"

/*
 * Whether anonymous folios may be mapped by page table entries of 4 KiB. pmds_seen: those that somebody
 * maps by a PMD will be seen there, so that they need not be looked for. From the counters in
 * /sys/kernel/mm/transparent_hugepage (6.12), else from thp_split_pmd of /proc/vmstat, which only says
 * that this ever happened. false where neither is there: then there are no huge pages.
 */
bool folios_may_be_split(const struct kroot *root, bool pmds_seen);

#define FOLIO_BLOCK 512u /* frames that one PMD maps; a folio never lies across two blocks */

/*
 * For the block that begins at this frame: sizes[i] is the number of pages of the anonymous folio whose
 * first page is i, 0 elsewhere and for single pages. From /proc/kpageflags; about 15 µs.
 */
int folio_sizes(const struct kpage *kpage, uint64_t first, uint16_t sizes[FOLIO_BLOCK]);

#endif
