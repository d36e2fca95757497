// SPDX-License-Identifier: MIT
/*
 * The rules by which frames are told apart; reads nothing.
 */
#include "kernel/frame_class.h"

#include "kernel/kpage.h"

static const char *const names[FRAME_CLASSES] = {
	[FRAME_OTHER] = "other",
	[FRAME_ABSENT] = "absent",
	[FRAME_RESERVED] = "reserved",
	[FRAME_FREE] = "free",
	[FRAME_OFFLINE] = "offline",
	[FRAME_POISONED] = "poisoned",
	[FRAME_ANON] = "anon",
	[FRAME_ANON_HUGE] = "anon_huge",
	[FRAME_ANON_LAZY] = "anon_lazy",
	[FRAME_ANON_UNMAPPED] = "anon_unmapped",
	[FRAME_SWAP_CACHE] = "swap_cache",
	[FRAME_FILE_MAPPED] = "file_mapped",
	[FRAME_CACHE_CLEAN] = "cache_clean",
	[FRAME_CACHE_DIRTY] = "cache_dirty",
	[FRAME_SHMEM_MAPPED] = "shmem_mapped",
	[FRAME_SHMEM_UNMAPPED] = "shmem_unmapped",
	[FRAME_HUGETLB] = "hugetlb",
	[FRAME_SLAB] = "slab",
	[FRAME_PAGE_TABLE] = "page_table",
};

#define LARGE (KPAGE_HEAD | KPAGE_TAIL)
/* One of these, and a page is in a page cache; one just added may not be on the LRU yet. */
#define CACHED (KPAGE_LRU | KPAGE_DIRTY | KPAGE_WRITEBACK | KPAGE_UNEVICTABLE | KPAGE_SWAPBACKED)
/* Or both of these: drivers' pages that programs map lack the first, zsmalloc's the second. */
#define CACHED_MAPPED (KPAGE_UPTODATE | KPAGE_MMAP)
#define BUSY (KPAGE_DIRTY | KPAGE_WRITEBACK | KPAGE_UNEVICTABLE)
/* What kernels before 6.10 say of the first page of a folio only. */
#define INHERITED (CACHED | KPAGE_UPTODATE | KPAGE_SLAB | KPAGE_ANON | KPAGE_SWAPCACHE)

/*
 * One such flag is enough, whatever else is set: the bits that make a page anonymous mean other
 * things in a slab. The first that is set counts.
 */
static const struct {
	uint64_t flag;
	enum frame_class class;
} decisive[] = {
	{ KPAGE_NOPAGE, FRAME_ABSENT },      { KPAGE_HWPOISON, FRAME_POISONED },
	{ KPAGE_RESERVED, FRAME_RESERVED },  { KPAGE_BUDDY, FRAME_FREE },
	{ KPAGE_OFFLINE, FRAME_OFFLINE },    { KPAGE_SLAB, FRAME_SLAB },
	{ KPAGE_PGTABLE, FRAME_PAGE_TABLE }, { KPAGE_HUGE, FRAME_HUGETLB },
	{ KPAGE_ZERO, FRAME_OTHER },
};

#define DECISIVE_COUNT (sizeof(decisive) / sizeof(decisive[0]))
#define DECISIVE                                                                        \
	(KPAGE_NOPAGE | KPAGE_HWPOISON | KPAGE_RESERVED | KPAGE_BUDDY | KPAGE_OFFLINE | \
	 KPAGE_SLAB | KPAGE_PGTABLE | KPAGE_HUGE | KPAGE_ZERO)
#define TELLING (DECISIVE | CACHED | CACHED_MAPPED | LARGE | KPAGE_ANON | KPAGE_SWAPCACHE)

const char *frame_class_name(enum frame_class class)
{
	return names[class];
}

static enum frame_class class_of_anon(uint64_t flags, bool huge)
{
	if (!(flags & KPAGE_MMAP))
		return flags & KPAGE_SWAPCACHE ? FRAME_SWAP_CACHE : FRAME_ANON_UNMAPPED;
	if (!(flags & KPAGE_SWAPBACKED))
		return FRAME_ANON_LAZY;
	return huge ? FRAME_ANON_HUGE : FRAME_ANON;
}

static enum frame_class class_of_cache(uint64_t flags)
{
	if (flags & KPAGE_SWAPBACKED) {
		if (flags & KPAGE_MMAP)
			return FRAME_SHMEM_MAPPED;
		return flags & KPAGE_SWAPCACHE ? FRAME_SWAP_CACHE : FRAME_SHMEM_UNMAPPED;
	}
	if (flags & KPAGE_MMAP)
		return FRAME_FILE_MAPPED;
	return flags & BUSY ? FRAME_CACHE_DIRTY : FRAME_CACHE_CLEAN;
}

/* KPAGE_MMAP stands for this very page. */
static enum frame_class class_of(uint64_t flags, bool huge)
{
	if (flags & DECISIVE)
		for (size_t i = 0; i < DECISIVE_COUNT; i++)
			if (flags & decisive[i].flag)
				return decisive[i].class;
	if (flags & KPAGE_ANON)
		return class_of_anon(flags, huge);
	if (flags & CACHED || (flags & CACHED_MAPPED) == CACHED_MAPPED)
		return class_of_cache(flags);
	return FRAME_OTHER;
}

bool frame_block_needs_counts(const uint64_t *flags, size_t frames)
{
	bool any = false;

	for (size_t i = 0; i < frames; i++)
		any |= (flags[i] & KPAGE_MMAP) && (flags[i] & LARGE) && !(flags[i] & DECISIVE);
	return any;
}

/* Folios are aligned to their size: one that reaches over a block's middle has all of the block. */
static bool is_huge(const uint64_t *flags, size_t frames)
{
	return frames == FRAME_BLOCK && flags[0] & LARGE && flags[FRAME_BLOCK / 2] & KPAGE_TAIL;
}

void frame_block_count(const uint64_t *flags, const uint64_t *counts, size_t frames,
		       uint64_t *pages)
{
	bool huge = is_huge(flags, frames);
	uint64_t head = 0, last = ~0ull;
	enum frame_class class = FRAME_OTHER;

	for (size_t i = 0; i < frames; i++) {
		uint64_t word = flags[i] & TELLING;

		if (word & KPAGE_TAIL)
			word |= head & INHERITED;
		else
			head = word;
		/* The flag says that some page of the folio is mapped. */
		if (counts && word & LARGE && counts[i] == 0)
			word &= ~KPAGE_MMAP;
		if (word != last)
			class = class_of(word, huge);
		last = word;
		pages[class]++;
	}
}
