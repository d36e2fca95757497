/* SPDX-License-Identifier: MIT */
/*
 * What a raw x86-64 page table entry means, as arch/x86/include/asm/pgtable*.h has it. Pure.
 */
#ifndef MEMOIR_KERNEL_PTE_H
#define MEMOIR_KERNEL_PTE_H

#include <stdbool.h>
#include <stdint.h>

#define PTE_BIT_PRESENT (1ull << 0)
#define PTE_BIT_WRITE (1ull << 1)
#define PTE_BIT_ACCESSED (1ull << 5) /* by the CPU, when it loads the translation */
#define PTE_BIT_DIRTY (1ull << 6)
#define PTE_BIT_SAVED_DIRTY (1ull << 58) /* the same, of what was made read-only since: Linux 6.6 */
#define PTE_BIT_LARGE (1ull << 7)
#define PTE_BIT_PROTNONE (1ull << 8) /* only where not present: PROT_NONE keeps the frame */
#define PTE_BIT_SPECIAL (1ull << 9)  /* zero page, PFNMAP: no page that anybody counts */
#define PTE_FRAME_MASK 0x000ffffffffff000ull

static inline bool pte_present(uint64_t entry)
{
	return entry & (PTE_BIT_PRESENT | PTE_BIT_PROTNONE);
}

/* Present and an ordinary page: what smaps counts. */
static inline bool pte_counted(uint64_t entry)
{
	return pte_present(entry) && !(entry & PTE_BIT_SPECIAL);
}

/* PROT_NONE entries hold the frame inverted (the L1TF mitigation). */
static inline uint64_t pte_frame(uint64_t entry)
{
	return ((entry & PTE_BIT_PRESENT ? entry : ~entry) & PTE_FRAME_MASK) >> 12;
}

/* Of a large entry: its low bits are attributes, which stand inverted among an inverted frame's bits. */
static inline uint64_t pte_huge_frame(uint64_t entry, uint64_t pages)
{
	return pte_frame(entry) & ~(pages - 1);
}

/*
 * Not present and not empty: type in the top five bits, the offset inverted below. Types from 23 on
 * are not swap: markers (guard, uffd-wp, poison), or entries that hold a frame (migration, device).
 * Which type is the marker depends on the kernel (31, on Debian's 6.1 30); what tells is that a
 * marker's offset is a few flags, and no page of a process lies in the first 64 KiB of memory.
 */
#define SWAP_TYPES 23u
#define SWAP_MARKER_OFFSETS 16u

static inline unsigned int pte_swap_type(uint64_t entry)
{
	return (unsigned int)(entry >> 59);
}

static inline uint64_t pte_swap_offset(uint64_t entry)
{
	return (~entry & ((1ull << 59) - 1)) >> 9;
}

static inline bool pte_swapped(uint64_t entry)
{
	return entry && !pte_present(entry) && pte_swap_type(entry) < SWAP_TYPES;
}

/* A page on its way elsewhere: smaps counts it as resident and private. */
static inline bool pte_migrating(uint64_t entry)
{
	return entry && !pte_present(entry) && pte_swap_type(entry) >= SWAP_TYPES &&
	       pte_swap_offset(entry) >= SWAP_MARKER_OFFSETS;
}

#endif
