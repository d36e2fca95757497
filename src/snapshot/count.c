// SPDX-License-Identifier: MIT
/*
 * Counts the pages of regions, from page table entries or pagemap words; the rules are those of
 * smaps (fs/proc/task_mmu.c: smaps_pte_entry, smaps_pmd_entry, smaps_account).
 */
#include "kernel/kpage.h"
#include "kernel/pagemap.h"
#include "kernel/pte.h"
#include "snapshot/capture.h"

/* How a region's pages are told apart; worked out once for a run of entries. */
struct rule {
	bool anon_only;  /* every page is anonymous */
	bool file_only;  /* no page is */
	bool anon_alone; /* no other region can map its anonymous pages */
	bool file_alone; /* nor its file pages */
};

static struct rule rule_for(const struct memoir_region *region, const struct region_count *count)
{
	bool has_file =
		count->has_mapping || region->object != MEMOIR_NONE || count->bits & WALK_SOLE;
	bool vdso = region->kind == MEMOIR_KIND_VDSO || region->kind == MEMOIR_KIND_SPECIAL;

	return (struct rule){
		.anon_only = !has_file && !vdso,
		.file_only = (has_file && (count->flags & VM_SHARED)) || vdso ||
			     (count->has_mapping && !count->has_anon),
		.anon_alone = region_anon_alone(count),
		.file_alone = count->bits & WALK_SOLE,
	};
}

static void count_resident(struct capture *c, struct region_count *count, uint32_t region,
			   bool anon, bool alone, uint64_t key)
{
	if (alone) {
		count_alone(count, 1, anon);
		return;
	}
	count->rss++;
	count->anon += anon;
	tally_add(&c->tally, key, region);
}

static void count_swapped(struct capture *c, struct region_count *count, uint32_t region,
			  bool alone, uint64_t key)
{
	count->swap++;
	if (alone)
		count->swap_alone++;
	else
		tally_add(&c->tally, TALLY_SWAP | key, region);
}

/* ---- page table entries --------------------------------------------------------------------- */

static uint64_t swap_key(uint64_t entry)
{
	return pte_swap_offset(entry) << 5 | pte_swap_type(entry);
}

static void count_entry(struct capture *c, struct region_count *count, uint32_t region,
			const struct rule *rule, uint64_t entry)
{
	if (pte_counted(entry)) {
		bool anon = rule->anon_only || (!rule->file_only && !(entry & WALK_FILE_BIT));

		count_resident(c, count, region, anon, anon ? rule->anon_alone : rule->file_alone,
			       (anon ? TALLY_FRAME : TALLY_FILE_FRAME) | pte_frame(entry));
	} else if (pte_swapped(entry)) {
		count_swapped(c, count, region, rule->anon_alone, swap_key(entry));
	} else if (pte_migrating(entry)) {
		count_alone(count, 1, rule->anon_only);
	}
}

/* The common case, one kind of page and one mapper, without a branch that depends on the page. */
static uint64_t count_simple(const uint64_t *entries, size_t n, bool *ret_odd)
{
	uint64_t resident = 0, odd = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t entry = entries[i];

		resident += (entry & PTE_BIT_PRESENT) && !(entry & PTE_BIT_SPECIAL);
		odd |= entry && !(entry & PTE_BIT_PRESENT);
	}
	*ret_odd = odd;
	return resident;
}

void count_table(struct capture *c, uint32_t region, const uint64_t *entries, size_t n)
{
	struct region_count *count = &c->counts[region];
	struct rule rule = rule_for(&c->snap->regions[region], count);

	if (count->flags & VM_HUGETLB)
		return;
	if ((rule.anon_only && rule.anon_alone) || (rule.file_only && rule.file_alone)) {
		bool odd;
		uint64_t resident = count_simple(entries, n, &odd);

		if (!odd) {
			count_alone(count, resident, rule.anon_only);
			return;
		}
	}
	for (size_t i = 0; i < n; i++) {
		/* Most tables are sparse. */
		while (i + 4 <= n &&
		       !(entries[i] | entries[i + 1] | entries[i + 2] | entries[i + 3]))
			i += 4;
		if (i < n && entries[i])
			count_entry(c, count, region, &rule, entries[i]);
	}
}

/* The huge zero page is no page that anybody counts. It is never writable, which rules out most. */
static bool is_huge_zero(struct memoir *memoir, uint64_t entry)
{
	struct kpage kpage;
	uint64_t flags = 0;

	if (entry & PTE_BIT_WRITE)
		return false;
	if (memoir->huge_zero_frame)
		return pte_frame(entry) == memoir->huge_zero_frame;
	if (kpage_open(memoir->root, &kpage) < 0)
		return false;
	if (kpage_flags(&kpage, pte_frame(entry), &flags) == 0 && flags & KPAGE_ZERO)
		memoir->huge_zero_frame = pte_frame(entry);
	kpage_close(&kpage);
	return memoir->huge_zero_frame != 0;
}

void count_huge(struct capture *c, uint32_t region, uint64_t addr, uint64_t entry,
		uint64_t span_bytes)
{
	struct region_count *count = &c->counts[region];
	struct rule rule = rule_for(&c->snap->regions[region], count);
	uint64_t pages = span_bytes / PAGE_BYTES;

	(void)addr;
	if (count->flags & VM_HUGETLB) {
		if (pte_present(entry))
			count->hugetlb += pages;
		return;
	}
	if (pte_migrating(entry)) {
		count_alone(count, pages, rule.anon_only);
		return;
	}
	/* Bit 12 of a large entry is an attribute, not part of the frame. */
	entry &= ~(1ull << 12);
	if (!pte_counted(entry) || (!rule.file_only && is_huge_zero(c->memoir, entry)))
		return;
	count->thp += pages;
	if (rule.anon_only && rule.anon_alone) {
		count_alone(count, pages, true);
		return;
	}
	for (uint64_t i = 0; i < pages; i++)
		count_resident(c, count, region, !rule.file_only,
			       rule.file_only ? rule.file_alone : rule.anon_alone,
			       (rule.file_only ? TALLY_FILE_FRAME : TALLY_FRAME) |
				       (pte_frame(entry) + i));
}

/* ---- pagemap words -------------------------------------------------------------------------- */

static bool looks_huge(uint64_t addr, const uint64_t *words, size_t n)
{
	if (addr % (HUGE_PAGES * PAGE_BYTES) || n < HUGE_PAGES ||
	    pagemap_frame(words[0]) % HUGE_PAGES)
		return false;
	for (size_t i = 0; i < HUGE_PAGES; i++)
		if (!pagemap_present(words[i]) ||
		    pagemap_frame(words[i]) != pagemap_frame(words[0]) + i)
			return false;
	return true;
}

struct word_run {
	struct capture *c;
	struct region_count *count;
	uint32_t region;
	struct rule rule;
};

/* Where other regions of the file were scanned without frames, its pages must have the same keys here. */
static uint64_t file_key(const struct word_run *run, uint64_t page)
{
	const struct memoir_region *region = &run->c->snap->regions[run->region];
	uint64_t first = region->offset_bytes / PAGE_BYTES - region->start / PAGE_BYTES;

	return TALLY_OFFSET | ((uint64_t)region->object << 36) | (first + page);
}

static void count_word(const struct word_run *run, uint64_t page, uint64_t word, bool huge)
{
	struct region_count *count = run->count;

	if (pagemap_present(word)) {
		bool file = word & PAGEMAP_BIT_FILE;
		bool alone = (word & PAGEMAP_BIT_EXCLUSIVE) && !huge;

		/* The zero page is neither file nor exclusive; the huge one claims to be of a file. */
		if ((run->rule.anon_only && file) || pagemap_frame(word) == run->c->zero_frame)
			return;
		if (file && !alone && run->c->file_by_offset && run->count->has_mapping)
			count_resident(run->c, count, run->region, false, false,
				       file_key(run, page));
		else
			count_resident(run->c, count, run->region, run->rule.anon_only || !file,
				       alone,
				       (file && !run->rule.anon_only ? TALLY_FILE_FRAME
								     : TALLY_FRAME) |
					       pagemap_frame(word));
	} else if (pagemap_swapped(word)) {
		count_swapped(run->c, count, run->region, false, pagemap_frame(word));
	} else if (pagemap_migrating(word)) {
		count_alone(count, 1, !run->rule.file_only);
	}
}

void count_pagemap(struct capture *c, uint32_t region, uint64_t addr, const uint64_t *words,
		   size_t n)
{
	struct word_run run = {
		.c = c,
		.count = &c->counts[region],
		.region = region,
		.rule = rule_for(&c->snap->regions[region], &c->counts[region]),
	};

	if (run.count->flags & VM_HUGETLB) {
		for (size_t i = 0; i < n; i++)
			run.count->hugetlb += pagemap_present(words[i]);
		return;
	}
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0, huge_left = 0; i < n; i++) {
		if (!words[i])
			continue;
		if (!huge_left && looks_huge(addr + i * PAGE_BYTES, words + i, n - i)) {
			huge_left = HUGE_PAGES;
			run.count->smaps_thp = true;
		}
		count_word(&run, addr / PAGE_BYTES + i, words[i], huge_left);
		huge_left -= huge_left ? 1 : 0;
	}
	pthread_mutex_unlock(&c->lock);
}
