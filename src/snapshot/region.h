/* SPDX-License-Identifier: MIT */
/*
 * A region while it is captured: what the kernel says of it, and its pages as they are counted. It becomes a row
 * (struct memoir_region) when somebody looks at one (rows.c).
 *
 * Kept small, and nothing in it that others tell: there is one for each VMA of the machine, touching fresh memory is
 * what capture would wait for, and each pass over all of them waits for all of this.
 */
#ifndef MEMOIR_SNAPSHOT_REGION_H
#define MEMOIR_SNAPSHOT_REGION_H

#include <memoir/snapshot.h>

/* vm_flags, linux/mm.h. */
#define VM_READ 0x1u
#define VM_WRITE 0x2u
#define VM_EXEC 0x4u
#define VM_SHARED 0x8u
#define VM_MAYSHARE 0x80u
#define VM_PFNMAP 0x400u
#define VM_LOCKED 0x2000u
#define VM_IO 0x4000u
#define VM_HUGETLB 0x400000u
#define VM_MIXEDMAP 0x10000000u
#define VM_MERGEABLE 0x80000000u

/* Why figures are not exact; its sentence is inexact_why of the row. */
enum region_doubt {
	REGION_EXACT,
	REGION_BY_SMAPS,
	REGION_SWAP_UNKNOWN,
	REGION_THP_UNKNOWN,
	REGION_SPLIT_LATE,
	REGION_THP_UNSPLIT,
	REGION_VAST,
	REGION_DOUBTS,
};

struct region {
	uint64_t start, end;
	uint64_t offset_bytes;              /* into the object */
	const char *name;                   /* NULL: none */
	const char *path;                   /* NULL: none */
	uint64_t pss_fixed, swap_pss_fixed; /* by the sets; what is alone comes on top */
	/* In pages, by region_add(). */
	uint32_t rss, anon, swap, thp, hugetlb;
	uint32_t alone;      /* resident, and only this region maps them: known without the tally */
	uint32_t alone_anon; /* those of them that are anonymous */
	uint32_t swap_alone;
	uint32_t uss;                     /* the tally's share of the private pages */
	uint32_t process, object, family; /* indices; MEMOIR_NONE: none */
	uint32_t flags;                   /* VM_…, those that memoir knows by this method */
	uint8_t kind;                     /* enum memoir_kind */
	uint8_t name_source : 4;          /* enum memoir_name_source */
	uint8_t doubt : 4;                /* enum region_doubt */
	bool anon_alone : 1;              /* no other anon_vma of its family has VMAs */
	bool sole : 1;                    /* the only VMA of its address_space */
	bool has_anon : 1;                /* has an anon_vma */
	bool has_mapping : 1;             /* has an address_space, by what BPF says */
	bool was_changing : 1;            /* its address space, when it was listed */
	bool object_swapped : 1;          /* some of its object, which is shmem, is swapped out */
	bool text_path : 1;               /* path and object are to be read from /proc/PID/maps */
	bool smaps_swap : 1;              /* Swap of shmem can only be read from smaps */
	bool smaps_thp : 1;   /* may hold PMD-mapped pages, which pagemap doesn't tell */
	bool by_words : 1;    /* pages are still to be read from pagemap */
	bool by_proof : 1;    /* counted as its own by the anon_vma proof */
	bool empty : 1;       /* smaps says that there is nothing in it */
	bool by_offset : 1;   /* two regions with the same (object, offset) have the same page */
	bool by_presence : 1; /* all its pages are its own, small, and known to the presence */
	bool is_cut : 1;      /* its pages were counted again, by cut */
	bool joins : 1; /* may be several mappings of a file; what the kernel says is of the last one */
};

_Static_assert(sizeof(struct region) <= 112, "one for each VMA of the machine");

#define PAGE_BYTES 4096ull
/* Pss as smaps sums it: fixed point with 12 bits. */
#define PSS_SHIFT 12

/* 16 TiB of something in one region: it stays at that, and figures say that they are not exact. */
#define REGION_PAGES_MAX UINT32_MAX

static inline void region_add(uint32_t *pages, uint64_t more)
{
	if (__builtin_add_overflow(*pages, more, pages))
		*pages = REGION_PAGES_MAX;
}

/* As maps shows flags. */
static inline void set_perms(char perms[5], uint64_t flags)
{
	perms[0] = flags & VM_READ ? 'r' : '-';
	perms[1] = flags & VM_WRITE ? 'w' : '-';
	perms[2] = flags & VM_EXEC ? 'x' : '-';
	perms[3] = flags & VM_MAYSHARE ? 's' : 'p';
	perms[4] = '\0';
}

/* Whether smaps counts a kind of region's swap by its object, and memoir its pages as shmem. */
static inline bool kind_is_shmem(uint8_t kind)
{
	return kind == MEMOIR_KIND_SHMEM || kind == MEMOIR_KIND_MEMFD ||
	       kind == MEMOIR_KIND_SHARED_ANON || kind == MEMOIR_KIND_SYSV;
}

/* A region without permissions is a guard where there is nothing in it. */
static inline bool region_may_be_guard(const struct region *region)
{
	return region->kind == MEMOIR_KIND_ANON &&
	       !(region->flags & (VM_READ | VM_WRITE | VM_EXEC));
}

/* Its figures, once all is counted. What is alone is in no set, so it is added to what the sets gave. */
static inline struct memoir_figures region_figures(const struct region *region)
{
	uint64_t file_bytes = ((uint64_t)region->rss - region->anon) * PAGE_BYTES;
	bool shmem = kind_is_shmem(region->kind);
	struct memoir_figures figures = { .known = (1u << MEMOIR_FIGURES) - 1 };
	uint64_t private = (uint64_t)region->uss + region->alone;
	uint64_t *bytes = figures.bytes;

	bytes[MEMOIR_RSS] = region->rss * PAGE_BYTES;
	bytes[MEMOIR_PSS] = (region->pss_fixed >> PSS_SHIFT) + region->alone * PAGE_BYTES;
	bytes[MEMOIR_USS] = (private < region->rss ? private : region->rss) * PAGE_BYTES;
	bytes[MEMOIR_SHARED] = bytes[MEMOIR_RSS] - bytes[MEMOIR_USS];
	bytes[MEMOIR_SWAP] = region->swap * PAGE_BYTES;
	bytes[MEMOIR_SWAP_PSS] =
		(region->swap_pss_fixed >> PSS_SHIFT) + region->swap_alone * PAGE_BYTES;
	bytes[MEMOIR_ANON] = region->anon * PAGE_BYTES;
	bytes[MEMOIR_FILE] = shmem ? 0 : file_bytes;
	bytes[MEMOIR_SHMEM] = shmem ? file_bytes : 0;
	bytes[MEMOIR_THP] = region->thp * PAGE_BYTES;
	bytes[MEMOIR_HUGETLB] = region->hugetlb * PAGE_BYTES;
	return figures;
}

#endif
