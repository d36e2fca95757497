// SPDX-License-Identifier: MIT
/*
 * What RAM is used for, from the counters of /proc/meminfo; asks no kernel and counts no frames.
 *
 * The counters overlap, so three lines are differences:
 * - Cached holds shmem; Mapped holds mapped shmem, which only the regions of the snapshot tell apart;
 * - VmallocUsed holds the kernel stacks (CONFIG_VMAP_STACK);
 * - what no counter tells is "other kernel", so that the lines add up to MemTotal.
 */
#include "analysis/ledger.h"

#include <errno.h>

static uint64_t meminfo(const struct memoir_snapshot *snapshot, const char *key)
{
	uint64_t bytes = 0;

	(void)memoir_snapshot_meminfo(snapshot, key, &bytes);
	return bytes;
}

static uint64_t less(uint64_t bytes, uint64_t part_bytes)
{
	return bytes > part_bytes ? bytes - part_bytes : 0;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A counter line; absent where this kernel has no such counter. */
struct counter {
	const char *line;
	const char *key;
};

static const struct counter kernel_counters[] = {
	{ "buffers", "Buffers" },
	{ "slab, reclaimable", "SReclaimable" },
	{ "slab, unreclaimable", "SUnreclaim" },
	{ "page tables", "PageTables" },
	{ "page tables of virtual machines and IOMMUs", "SecPageTables" },
	{ "kernel stacks", "KernelStack" },
	{ "per-cpu", "Percpu" },
	{ "zswap", "Zswap" },
};

static void add(struct ledger *ledger, const char *line, uint64_t bytes)
{
	ledger->lines[ledger->count++] = (struct ledger_line){ line, bytes };
}

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

static void add_user_lines(struct ledger *ledger, const struct memoir_snapshot *snapshot)
{
	uint64_t shmem_bytes = meminfo(snapshot, "Shmem");
	uint64_t file_bytes = less(meminfo(snapshot, "Cached"), shmem_bytes);
	uint64_t mapped_bytes = min(less(meminfo(snapshot, "Mapped"),
					 min(mapped_shmem_bytes(snapshot), shmem_bytes)),
				    file_bytes);

	add(ledger, "anonymous", meminfo(snapshot, "AnonPages"));
	add(ledger, "mapped file", mapped_bytes);
	add(ledger, "unmapped page cache", file_bytes - mapped_bytes);
	add(ledger, "shmem", shmem_bytes);
}

/* The whole pool, used or not. Hugetlb (4.20) counts all page sizes. */
static uint64_t hugetlb_bytes(const struct memoir_snapshot *snapshot)
{
	uint64_t bytes;

	if (memoir_snapshot_meminfo(snapshot, "Hugetlb", &bytes) == 0)
		return bytes;
	return meminfo(snapshot, "HugePages_Total") * meminfo(snapshot, "Hugepagesize");
}

static void add_kernel_lines(struct ledger *ledger, const struct memoir_snapshot *snapshot)
{
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(kernel_counters) / sizeof(kernel_counters[0]); i++)
		if (memoir_snapshot_meminfo(snapshot, kernel_counters[i].key, &bytes) == 0)
			add(ledger, kernel_counters[i].line, bytes);
	add(ledger, "vmalloc, without stacks",
	    less(meminfo(snapshot, "VmallocUsed"), meminfo(snapshot, "KernelStack")));
	add(ledger, "hugetlb pool", hugetlb_bytes(snapshot));
}

/* What is left of MemTotal, or by how much the lines exceed it. */
static void add_remainder(struct ledger *ledger, uint64_t free_bytes)
{
	uint64_t sum_bytes = free_bytes;

	for (size_t i = 0; i < ledger->count; i++)
		sum_bytes += ledger->lines[i].bytes;
	add(ledger, "other kernel (no counter)", less(ledger->total_bytes, sum_bytes));
	add(ledger, "free", free_bytes);
	ledger->excess_bytes = less(sum_bytes, ledger->total_bytes);
}

int ledger_from_meminfo(const struct memoir_snapshot *snapshot, struct ledger *ret_ledger)
{
	struct ledger ledger = { 0 };

	if (memoir_snapshot_meminfo(snapshot, "MemTotal", &ledger.total_bytes) < 0)
		return -ENODATA;
	add_user_lines(&ledger, snapshot);
	add_kernel_lines(&ledger, snapshot);
	add_remainder(&ledger, meminfo(snapshot, "MemFree"));
	*ret_ledger = ledger;
	return 0;
}
