// SPDX-License-Identifier: MIT
/*
 * Counts the pages of regions, from page table entries or pagemap words; the rules are those of
 * smaps (fs/proc/task_mmu.c: smaps_pte_entry, smaps_pmd_entry, smaps_account).
 */
#include "kernel/kpage.h"
#include "kernel/pagemap.h"
#include "kernel/pte_masks.h"
#include "snapshot/capture.h"

/* How a region's pages are told apart; worked out once for a run of entries. */
struct rule {
	bool anon_only;  /* every page is anonymous */
	bool file_only;  /* no page is */
	bool anon_alone; /* no other region can map its anonymous pages */
	bool file_alone; /* nor its file pages */
};

static struct rule rule_for(const struct capture *c, const struct region *r)
{
	bool has_file = r->has_mapping || r->object != MEMOIR_NONE || r->sole;
	bool vdso = r->kind == MEMOIR_KIND_VDSO || r->kind == MEMOIR_KIND_SPECIAL;

	return (struct rule){
		.anon_only = !has_file && !vdso,
		.file_only = (has_file && (r->flags & VM_SHARED)) || vdso ||
			     (r->has_mapping && !r->has_anon),
		.anon_alone = region_anon_alone(r) && !c->by_folio,
		.file_alone = r->sole,
	};
}

static void count_resident(struct tally *tally, struct region *r, uint32_t region, bool anon,
			   bool alone, uint64_t key)
{
	if (alone) {
		count_alone(r, 1, anon);
		return;
	}
	region_add(&r->rss, 1);
	region_add(&r->anon, anon);
	tally_add(tally, key, region);
}

static void count_swapped(struct tally *tally, struct region *r, uint32_t region, bool alone,
			  uint64_t key)
{
	region_add(&r->swap, 1);
	if (alone)
		region_add(&r->swap_alone, 1);
	else
		tally_add(tally, TALLY_SWAP | key, region);
}

/* ---- page table entries --------------------------------------------------------------------- */

static uint64_t swap_key(uint64_t entry)
{
	return pte_swap_offset(entry) << 5 | pte_swap_type(entry);
}

/* Where a run of entries is counted. */
struct entry_run {
	struct capture *c;
	struct region *r;
	uint32_t region;
	struct rule rule;
	uint64_t offset_key; /* of the first entry's page in its object, or 0: pages go by frame */
};

static void count_entry(const struct entry_run *run, size_t i, uint64_t entry)
{
	const struct rule *rule = &run->rule;

	if (pte_counted(entry)) {
		bool anon = rule->anon_only || (!rule->file_only && !(entry & WALK_FILE_BIT));

		if (!anon && run->offset_key && !rule->file_alone) {
			region_add(&run->r->rss, 1);
			count_offsets(run->c, run->region, run->offset_key + i, 1);
			return;
		}
		count_resident(&run->c->tally, run->r, run->region, anon,
			       anon ? rule->anon_alone : rule->file_alone,
			       (anon ? TALLY_FRAME : TALLY_FILE_FRAME) | pte_frame(entry));
	} else if (pte_swapped(entry)) {
		count_swapped(&run->c->tally, run->r, run->region, rule->anon_alone,
			      swap_key(entry));
	} else if (pte_migrating(entry)) {
		count_alone(run->r, 1, rule->anon_only);
	}
}

/* The common case: one kind of page and one mapper. */
static uint64_t count_simple(const uint64_t *entries, size_t n, bool *ret_odd)
{
	uint64_t resident = 0, odd = 0;

	for (size_t i = 0; i < n; i += PTE_MASK_ENTRIES) {
		struct pte_masks masks = pte_masks(entries + i, n - i);

		resident += (unsigned int)__builtin_popcountll(masks.counted);
		odd |= masks.odd;
	}
	*ret_odd = odd;
	return resident;
}

static void count_entries(const struct entry_run *run, const uint64_t *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* Most tables are sparse. */
		while (i + 4 <= n &&
		       !(entries[i] | entries[i + 1] | entries[i + 2] | entries[i + 3]))
			i += 4;
		if (i < n && entries[i])
			count_entry(run, i, entries[i]);
	}
}

/* Where all pages are anonymous and may be in other regions too. */
static void count_anon(const struct entry_run *run, uint64_t addr, const uint64_t *entries,
		       size_t n)
{
	struct tally *tally = &run->c->tally;
	uint32_t family = capture_region(run->c, run->region)->family;
	size_t first = addr / PAGE_BYTES % HUGE_PAGES;
	struct tally_step step = { 0 };
	struct tally_place *place = NULL;
	uint64_t pages = 0;

	if (family != MEMOIR_NONE)
		place = tally_place_at(tally,
				       (uint64_t)family << 36 | addr / PAGE_BYTES / HUGE_PAGES);

	for (size_t i = 0; i < n; i++) {
		uint64_t entry = entries[i];

		if (!entry)
			continue;
		if (!pte_counted(entry)) {
			count_entry(run, i, entry);
			continue;
		}
		pages++;
		tally_add_next(tally,
			       tally_slot_at(tally, place, first + i,
					     TALLY_FRAME | pte_frame(entry)),
			       run->region, &step);
	}
	region_add(&run->r->rss, pages);
	region_add(&run->r->anon, pages);
}

/* Runs of pages, given as bits, of the object at an offset; how many pages these are. */
static uint64_t count_runs(const struct entry_run *run, size_t at, uint64_t bits)
{
	uint64_t all = 0;

	while (bits) {
		unsigned int first = (unsigned int)__builtin_ctzll(bits);
		uint64_t from = bits >> first,
			 pages = ~from ? (unsigned int)__builtin_ctzll(~from) : 64;

		count_offsets(run->c, run->region, run->offset_key + at + first, pages);
		bits &= bits + (1ull << first);
		all += pages;
	}
	return all;
}

static void count_odd(const struct entry_run *run, const uint64_t *entries, size_t at, uint64_t odd)
{
	for (; odd; odd &= odd - 1) {
		size_t i = at + (unsigned int)__builtin_ctzll(odd);

		count_entry(run, i, entries[i]);
	}
}

static uint64_t file_bits(const uint64_t *entries, size_t n)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < n && i < PTE_MASK_ENTRIES; i++)
		bits |= (uint64_t)((entries[i] & WALK_FILE_BIT) != 0) << i;
	return bits;
}

/* Where all pages are the object's, and known by their offset, or copies of these that are nobody else's. */
static void count_object(const struct entry_run *run, const uint64_t *entries, size_t n)
{
	uint64_t resident = 0, copies = 0;

	for (size_t i = 0; i < n; i += PTE_MASK_ENTRIES) {
		struct pte_masks masks = pte_masks(entries + i, n - i);
		uint64_t file = masks.counted;

		if (!run->rule.file_only)
			file &= file_bits(entries + i, n - i);
		resident += count_runs(run, i, file);
		/* Without the instruction for it counting bits is dear. */
		if (masks.counted != file)
			copies += (unsigned int)__builtin_popcountll(masks.counted & ~file);
		count_odd(run, entries, i, masks.odd);
	}
	region_add(&run->r->rss, resident);
	count_alone(run->r, copies, true);
}

void count_table(struct capture *c, uint32_t region, uint64_t addr, const uint64_t *entries,
		 size_t n)
{
	struct region *r = capture_region(c, region);
	struct entry_run run = {
		.c = c,
		.r = r,
		.region = region,
		.rule = rule_for(c, r),
		.offset_key = r->by_offset ? capture_offset_key(r, addr) : 0,
	};

	if (r->flags & VM_HUGETLB)
		return;
	if ((run.rule.anon_only && run.rule.anon_alone) ||
	    (run.rule.file_only && run.rule.file_alone)) {
		bool odd;
		uint64_t resident = count_simple(entries, n, &odd);

		if (!odd) {
			count_alone(r, resident, run.rule.anon_only);
			if (r->by_presence)
				presence_add(&c->presence, addr, entries, n, resident);
			return;
		}
	}
	r->by_presence = false;
	if (run.rule.anon_only && !run.rule.anon_alone)
		count_anon(&run, addr, entries, n);
	else if ((run.rule.file_only || run.rule.anon_alone) && !run.rule.file_alone &&
		 run.offset_key)
		count_object(&run, entries, n);
	else
		count_entries(&run, entries, n);
}

static void mark_huge(struct tally *tally, uint64_t key)
{
	struct tally_chunk *chunk = tally_chunk_for(tally, key & ~(uint64_t)(TALLY_CHUNK - 1));

	if (chunk)
		chunk->huge = true;
}

/* It is never writable, which rules out most. */
bool capture_is_huge_zero(struct memoir *memoir, uint64_t entry, uint64_t frame)
{
	struct kpage kpage;
	uint64_t flags = 0;

	if (entry & PTE_BIT_WRITE)
		return false;
	if (memoir->huge_zero_frame)
		return frame == memoir->huge_zero_frame;
	if (kpage_open(memoir->root, &kpage) < 0)
		return false;
	if (kpage_flags(&kpage, frame, &flags) == 0 && flags & KPAGE_ZERO)
		memoir->huge_zero_frame = frame;
	kpage_close(&kpage);
	return memoir->huge_zero_frame != 0;
}

void count_huge(struct capture *c, uint32_t region, uint64_t addr, uint64_t entry,
		uint64_t span_bytes)
{
	struct region *r = capture_region(c, region);
	struct rule rule = rule_for(c, r);
	uint64_t pages = span_bytes / PAGE_BYTES, frame = pte_huge_frame(entry, pages), key;

	r->by_presence = false;
	if (r->flags & VM_HUGETLB) {
		if (pte_present(entry))
			region_add(&r->hugetlb, pages);
		return;
	}
	if (pte_migrating(entry)) {
		count_alone(r, pages, rule.anon_only);
		return;
	}
	if (!pte_counted(entry) ||
	    (!rule.file_only && capture_is_huge_zero(c->memoir, entry, frame)))
		return;
	region_add(&r->thp, pages);
	if (rule.anon_only && region_anon_alone(r)) {
		count_alone(r, pages, true);
		return;
	}
	if (rule.file_only && !rule.file_alone && r->by_offset) {
		region_add(&r->rss, pages);
		count_offsets(c, region, capture_offset_key(r, addr), pages);
		return;
	}
	key = (rule.file_only ? TALLY_FILE_FRAME : TALLY_FRAME) | frame;
	if (!rule.file_only)
		mark_huge(&c->tally, key);
	for (uint64_t i = 0; i < pages; i++)
		count_resident(&c->tally, r, region, !rule.file_only,
			       rule.file_only ? rule.file_alone : rule.anon_alone, key + i);
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
	struct region *r;
	uint32_t region;
	struct rule rule;
};

static void count_word(const struct word_run *run, uint64_t page, uint64_t word, bool huge)
{
	struct region *r = run->r;
	struct tally *tally = &run->c->tally;

	if (pagemap_present(word)) {
		bool file = word & PAGEMAP_BIT_FILE;
		bool alone = (word & PAGEMAP_BIT_EXCLUSIVE) && !huge && (file || !run->c->by_folio);

		/* The zero page is neither file nor exclusive; the huge one claims to be of a file. */
		if ((run->rule.anon_only && file) || pagemap_frame(word) == run->c->zero_frame)
			return;
		/* As those regions of the file have them that were counted without frames. */
		if (file && !alone && run->c->file_by_offset && run->r->by_offset) {
			region_add(&r->rss, 1);
			count_offsets(run->c, run->region, capture_offset_key(r, page * PAGE_BYTES),
				      1);
			return;
		}
		count_resident(tally, r, run->region, run->rule.anon_only || !file, alone,
			       (file && !run->rule.anon_only ? TALLY_FILE_FRAME : TALLY_FRAME) |
				       pagemap_frame(word));
	} else if (pagemap_swapped(word)) {
		count_swapped(tally, r, run->region, false, pagemap_frame(word));
	} else if (pagemap_migrating(word)) {
		count_alone(r, 1, !run->rule.file_only);
	}
}

void count_pagemap(struct capture *c, uint32_t region, uint64_t addr, const uint64_t *words,
		   size_t n)
{
	struct word_run run = {
		.c = c,
		.r = capture_region(c, region),
		.region = region,
		.rule = rule_for(c, capture_region(c, region)),
	};

	if (run.r->flags & VM_HUGETLB) {
		for (size_t i = 0; i < n; i++)
			region_add(&run.r->hugetlb, pagemap_present(words[i]));
		return;
	}
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0, huge_left = 0; i < n; i++) {
		if (!words[i])
			continue;
		if (!huge_left && looks_huge(addr + i * PAGE_BYTES, words + i, n - i)) {
			huge_left = HUGE_PAGES;
			run.r->smaps_thp = true;
			__atomic_store_n(&c->text_left, true,
					 __ATOMIC_RELAXED); /* of all threads */
		}
		count_word(&run, addr / PAGE_BYTES + i, words[i], huge_left);
		huge_left -= huge_left ? 1 : 0;
	}
	pthread_mutex_unlock(&c->lock);
}
