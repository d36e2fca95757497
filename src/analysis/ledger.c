// SPDX-License-Identifier: MIT
/*
 * What RAM is used for, from what a snapshot has of the machine; asks no kernel, counts no frames.
 *
 * Frames that were counted are facts. Counters are claims on the rest: each gets what it claims, as
 * long as something is left of MemTotal; what nobody claims is "other kernel". So the lines add up
 * to MemTotal, whatever the sources say. Two counters hold others:
 * - Cached holds shmem; Mapped holds mapped shmem, which without frames only regions tell apart;
 * - VmallocUsed holds the kernel stacks (CONFIG_VMAP_STACK).
 */
#include "analysis/ledger.h"

#include <errno.h>

static uint64_t number(const struct memoir_snapshot *snapshot, const char *key)
{
	uint64_t bytes = 0;

	(void)memoir_snapshot_meminfo(snapshot, key, &bytes);
	return bytes;
}

static bool has(const struct memoir_snapshot *snapshot, const char *key)
{
	uint64_t bytes;

	return memoir_snapshot_meminfo(snapshot, key, &bytes) == 0;
}

static uint64_t less(uint64_t bytes, uint64_t part_bytes)
{
	return bytes > part_bytes ? bytes - part_bytes : 0;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A ledger that is being filled. */
struct filling {
	const struct memoir_snapshot *snapshot;
	struct ledger ledger;
	uint64_t left_bytes; /* of MemTotal */
};

/* As much of a claim as there is. */
static uint64_t take(struct filling *f, uint64_t claimed_bytes)
{
	uint64_t bytes = min(claimed_bytes, f->left_bytes);

	f->left_bytes -= bytes;
	if (__builtin_add_overflow(f->ledger.excess_bytes, claimed_bytes - bytes,
				   &f->ledger.excess_bytes))
		f->ledger.excess_bytes = UINT64_MAX;
	return bytes;
}

static void put(struct filling *f, const char *line, uint64_t bytes)
{
	f->ledger.lines[f->ledger.count++] = (struct ledger_line){ line, bytes };
}

static void add(struct filling *f, const char *line, uint64_t claimed_bytes)
{
	put(f, line, take(f, claimed_bytes));
}

/* A line of one key; absent where the snapshot doesn't have it. */
struct keyed {
	const char *line;
	const char *key;
};

static void add_keyed(struct filling *f, const struct keyed *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (has(f->snapshot, lines[i].key))
			add(f, lines[i].line, number(f->snapshot, lines[i].key));
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void add_kernel_counters(struct filling *f)
{
	static const struct keyed before[] = {
		{ "slab, reclaimable", "SReclaimable" },
		{ "slab, unreclaimable", "SUnreclaim" },
		{ "page tables of virtual machines and IOMMUs", "SecPageTables" },
		{ "kernel stacks", "KernelStack" },
	};
	static const struct keyed behind[] = {
		{ "zram", "zram_store_bytes" },
		{ "zswap", "Zswap" },
		{ "per-cpu", "Percpu" },
		{ "dma-bufs", "dmabuf_bytes" },
	};

	add_keyed(f, before, COUNT(before));
	add(f, "vmalloc, without stacks",
	    less(number(f->snapshot, "VmallocUsed"), number(f->snapshot, "KernelStack")));
	add_keyed(f, behind, COUNT(behind));
}

/* ---- by frames ------------------------------------------------------------------------------ */

static void add_user_frames(struct filling *f)
{
	static const struct keyed before[] = {
		{ "anonymous, small pages", "frames:anon" },
		{ "anonymous, huge pages", "frames:anon_huge" },
		{ "anonymous, given up (MADV_FREE)", "frames:anon_lazy" },
		{ "anonymous, unmapped", "frames:anon_unmapped" },
		{ "swap cache", "frames:swap_cache" },
		{ "mapped file", "frames:file_mapped" },
	};
	static const struct keyed behind[] = {
		{ "shmem, mapped", "frames:shmem_mapped" },
	};
	/* A udmabuf's pages keep their flags when the memfd is gone, and are in a line of their own then. */
	uint64_t unmapped_bytes = less(number(f->snapshot, "frames:shmem_unmapped"),
				       number(f->snapshot, "dmabuf_shmem_bytes"));
	uint64_t cache_bytes = take(f, number(f->snapshot, "frames:cache_clean")) +
			       take(f, number(f->snapshot, "frames:cache_dirty"));
	uint64_t buffers_bytes = min(number(f->snapshot, "Buffers"), cache_bytes);

	add_keyed(f, before, COUNT(before));
	put(f, "unmapped page cache", cache_bytes - buffers_bytes);
	put(f, "buffers", buffers_bytes);
	add_keyed(f, behind, COUNT(behind));
	add(f, "shmem, unmapped", unmapped_bytes);
}

static void add_hugetlb_frames(struct filling *f)
{
	uint64_t pool_bytes = take(f, number(f->snapshot, "frames:hugetlb"));
	uint64_t free_bytes;

	if (memoir_snapshot_meminfo(f->snapshot, "hugetlb_free_bytes", &free_bytes) < 0) {
		put(f, "hugetlb pool", pool_bytes);
		return;
	}
	free_bytes = min(free_bytes, pool_bytes);
	put(f, "hugetlb, in use", pool_bytes - free_bytes);
	put(f, "hugetlb, free", free_bytes);
}

/* What was not given to the zones yet (deferred set-up of struct page) is in MemTotal, and free. */
static uint64_t free_frames(const struct filling *f)
{
	uint64_t free_bytes = number(f->snapshot, "frames:free"), managed_bytes;

	if (memoir_snapshot_meminfo(f->snapshot, "zone_managed_bytes", &managed_bytes) == 0 &&
	    __builtin_add_overflow(free_bytes, less(f->ledger.total_bytes, managed_bytes),
				   &free_bytes))
		return UINT64_MAX;
	return free_bytes;
}

static void fill_by_frames(struct filling *f)
{
	static const struct keyed page_tables[] = { { "page tables", "frames:page_table" } };
	static const struct keyed rare[] = {
		{ "memory balloon", "balloon_in_total_bytes" },
		{ "withdrawn after memory errors", "frames:poisoned" },
	};
	static const struct keyed lists[] = { { "free, on per-CPU lists",
						"zone_per_cpu_free_bytes" } };

	/* Free memory is told last, but is no claim that could be cut. */
	uint64_t free_bytes = take(f, free_frames(f));

	add_user_frames(f);
	add_hugetlb_frames(f);
	add_keyed(f, page_tables, COUNT(page_tables));
	add_keyed(f, rare, COUNT(rare));
	add_kernel_counters(f);
	add_keyed(f, lists, COUNT(lists));
	put(f, "other kernel (no counter)", f->left_bytes);
	put(f, "free", free_bytes);
}

/* ---- by meminfo ----------------------------------------------------------------------------- */

/* Pages of shmem that some process maps: PSS counts each of them once. */
static uint64_t mapped_shmem_bytes(const struct memoir_snapshot *snapshot)
{
	size_t count = memoir_snapshot_region_count(snapshot);
	const uint32_t needed = 1u << MEMOIR_SHMEM | 1u << MEMOIR_PSS;
	uint64_t sum_bytes = 0;

	for (size_t i = 0; i < count; i++) {
		const struct memoir_figures *figures =
			&memoir_snapshot_region(snapshot, i)->figures;

		/* The lesser of both leaves out the private copies of a private mapping. */
		if ((figures->known & needed) == needed)
			sum_bytes += min(figures->bytes[MEMOIR_SHMEM], figures->bytes[MEMOIR_PSS]);
	}
	return sum_bytes;
}

static void add_user_counters(struct filling *f)
{
	uint64_t shmem_bytes = number(f->snapshot, "Shmem");
	uint64_t file_bytes = less(number(f->snapshot, "Cached"), shmem_bytes);
	uint64_t mapped_bytes = min(less(number(f->snapshot, "Mapped"),
					 min(mapped_shmem_bytes(f->snapshot), shmem_bytes)),
				    file_bytes);

	add(f, "anonymous", number(f->snapshot, "AnonPages"));
	add(f, "mapped file", mapped_bytes);
	add(f, "unmapped page cache", file_bytes - mapped_bytes);
	add(f, "buffers", number(f->snapshot, "Buffers"));
	add(f, "shmem", shmem_bytes);
}

/* The whole pool, used or not. Hugetlb (4.20) counts all page sizes. */
static uint64_t hugetlb_bytes(const struct memoir_snapshot *snapshot)
{
	uint64_t bytes;

	if (memoir_snapshot_meminfo(snapshot, "Hugetlb", &bytes) == 0)
		return bytes;
	return number(snapshot, "HugePages_Total") * number(snapshot, "Hugepagesize");
}

static void fill_by_meminfo(struct filling *f)
{
	static const struct keyed page_tables[] = { { "page tables", "PageTables" } };
	uint64_t free_bytes = take(f, number(f->snapshot, "MemFree"));

	add_user_counters(f);
	add(f, "hugetlb pool", hugetlb_bytes(f->snapshot));
	add_keyed(f, page_tables, COUNT(page_tables));
	add_kernel_counters(f);
	put(f, "other kernel (no counter)", f->left_bytes);
	put(f, "free", free_bytes);
}

int ledger_make(const struct memoir_snapshot *snapshot, struct ledger *ret_ledger)
{
	struct filling f = { .snapshot = snapshot };

	if (memoir_snapshot_meminfo(snapshot, "MemTotal", &f.ledger.total_bytes) < 0)
		return -ENODATA;
	f.left_bytes = f.ledger.total_bytes;
	f.ledger.by_frames = has(snapshot, "frames:free");
	if (f.ledger.by_frames)
		fill_by_frames(&f);
	else
		fill_by_meminfo(&f);
	*ret_ledger = f.ledger;
	return 0;
}
