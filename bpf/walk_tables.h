/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The walk of x86-64 page tables: copies what maps [walker.addr, walker.end) into the stream. What an
 * entry means is for user space, but for where it leads.
 */
#ifndef MEMOIR_WALK_TABLES_H
#define MEMOIR_WALK_TABLES_H

#define PAGE_SHIFT 12
#define PMD_SHIFT 21
#define PUD_SHIFT 30
#define P4D_SHIFT 39
#define PGD_SHIFT 48
#define FRAME_MASK 0x000ffffffffff000ull
#define PTE_PRESENT 1ull
#define PTE_LARGE 0x80ull
#define PTE_PROTNONE 0x100ull

static __always_inline bool read_entry(u64 table_phys, u64 addr, u32 shift, u64 *entry)
{
	u64 phys = (table_phys & FRAME_MASK) + ((addr >> shift) & 511) * 8;

	if (phys >= config.max_phys)
		return false;
	*entry = read_at(config.direct_map, phys);
	return true;
}

static __always_inline u64 next_boundary(u64 addr, u32 shift)
{
	return (addr | ((1ull << shift) - 1)) + 1;
}

static __always_inline int emit_huge(struct walker *walker, struct arena *arena, u64 entry,
				     u32 shift)
{
	struct walk_huge *out = stream_end(&walker->state, arena);

	if (!out) {
		walker->stop = WALK_FULL;
		return 1;
	}
	out->addr = walker->addr;
	out->entry = entry;
	out->span_bytes = 1ull << shift;
	if (!stands(walker)) {
		walker->stop = WALK_CHANGED;
		return 1;
	}
	stream_add(&walker->state, &out->head, WALK_HUGE, sizeof(*out));
	walker->addr = next_boundary(walker->addr, shift);
	return 0;
}

/*
 * Find the table of PMDs for walker.addr, or move walker.addr past what has none; or find an entry that maps all that such
 * a table would. Returns 1 when the table is found.
 */
static __always_inline int find_pmds(struct walker *walker, u64 *ret_whole)
{
	u64 addr = walker->addr;
	u32 top = config.levels == 5 ? PGD_SHIFT : P4D_SHIFT;
	u64 entry = read_at(walker->pgd, ((addr >> top) & 511) * 8);

	if (!(entry & PTE_PRESENT)) {
		walker->addr = next_boundary(addr, top);
		return 0;
	}
	if (config.levels == 5 &&
	    (!read_entry(entry, addr, P4D_SHIFT, &entry) || !(entry & PTE_PRESENT))) {
		walker->addr = next_boundary(addr, P4D_SHIFT);
		return 0;
	}
	if (!read_entry(entry, addr, PUD_SHIFT, &entry) || !(entry & PTE_PRESENT)) {
		walker->addr = next_boundary(addr, PUD_SHIFT);
		return 0;
	}
	if (entry & PTE_LARGE) {
		*ret_whole = entry;
		return 0;
	}
	walker->pmds = entry & FRAME_MASK;
	walker->pmds_start = addr >> PUD_SHIFT << PUD_SHIFT;
	return 1;
}

/* Whether a frame is a page of a file: its folio's mapping has no flag bits in it. */
static __always_inline bool is_file_frame(u64 frame)
{
	struct page *page = (void *)(config.vmemmap + frame * bpf_core_type_size(struct page));
	u64 words[8], head;

	if (bpf_probe_read_kernel(words, sizeof(words), page))
		return false;
	head = words[(bpf_core_field_offset(page->compound_head) / 8) & 7];
	if (head & 1 && bpf_probe_read_kernel(words, sizeof(words), (void *)(head - 1)))
		return false;
	return !(words[(bpf_core_field_offset(page->mapping) / 8) & 7] & 3);
}

/* The i-th entry from walker.addr on, among those that were sent last. */
static long tag_entry(u32 i, struct turn *turn)
{
	struct walker *walker = turn->walker;
	char *bytes = turn->arena->bytes;
	u64 at = walker->sent_at + ((walker->addr - walker->sent_from) >> PAGE_SHIFT) * 8 +
		 (u64)i * 8;
	u64 *entry, frame;

	if (at >= WALK_ARENA_BYTES + WALK_SLACK_BYTES - 8)
		return 1;
	barrier_var(bytes);
	entry = (u64 *)(bytes + at);
	/* In a private mapping only a copy can have been written to. */
	if (!(*entry & (PTE_PRESENT | PTE_PROTNONE)) || (*entry & config.dirty_bits))
		return 0;
	frame = ((*entry & PTE_PRESENT ? *entry : ~*entry) & FRAME_MASK) >> PAGE_SHIFT;
	if (frame < config.max_phys >> PAGE_SHIFT && is_file_frame(frame))
		*entry |= WALK_FILE_BIT;
	return 0;
}

ONCE int tag_sent(struct walker *walker NONNULL, struct arena *arena NONNULL, u64 count)
{
	repeat_with(walker, arena, count, tag_entry);
	return 0;
}

/*
 * Where the copy of a table ends. VMAs that stand together mostly share a table: then all the rest of it is copied,
 * which costs less than to find it and copy a few entries for each.
 */
ONCE u64 table_end(struct walker *walker NONNULL, u64 boundary)
{
	if (walker->end >= boundary)
		return boundary;
	if (!LOCKLESS || !walker->next_end || walker->next_end >= boundary)
		return walker->end;
	return boundary;
}

static __always_inline int emit_table(struct walker *walker, struct arena *arena, u64 pmd)
{
	struct walk_table *out = stream_end(&walker->state, arena);
	u64 next = next_boundary(walker->addr, PMD_SHIFT), end = table_end(walker, next);
	u64 phys = (pmd & FRAME_MASK) + ((walker->addr >> PAGE_SHIFT) & 511) * 8;
	u64 count;

	if (!out) {
		walker->stop = WALK_FULL;
		return 1;
	}
	if (next > walker->end)
		next = walker->end;
	count = (end - walker->addr) >> PAGE_SHIFT;
	if (count > 512 || phys >= config.max_phys)
		return 1;
	out->addr = walker->addr;
	if (bpf_probe_read_kernel(out->entries, count * 8, (void *)(config.direct_map + phys)))
		return 1;
	walker->sent_at = walker->state.used + sizeof(*out);
	walker->sent_from = walker->addr;
	walker->sent_end = 0;
	if (walker->tag)
		tag_sent(walker, arena, (next - walker->addr) >> PAGE_SHIFT);
	if (!stands(walker)) {
		walker->stop = WALK_CHANGED;
		return 1;
	}
	walker->tries = 0;
	walker->sent_end = end;
	stream_add(&walker->state, &out->head, WALK_TABLE, sizeof(*out) + count * 8);
	walker->addr = next;
	return 0;
}

static __always_inline int emit_whole(struct walker *walker, struct arena *arena, u64 entry)
{
	if (walker->hugetlb)
		return emit_huge(walker, arena, entry, PUD_SHIFT);
	walker->addr = next_boundary(walker->addr, PUD_SHIFT);
	return 0;
}

static long walk_step(u32 i, struct turn *turn)
{
	struct walker *walker = turn->walker;
	struct arena *arena = turn->arena;
	u64 pmd = 0, whole = 0;

	if (walker->addr >= walker->end || walker->addr == 0)
		return 1;
	if (walker->addr >> PUD_SHIFT << PUD_SHIFT != walker->pmds_start || !walker->pmds)
		if (!find_pmds(walker, &whole))
			return whole ? emit_whole(walker, arena, whole) : 0;
	if (!read_entry(walker->pmds, walker->addr, PMD_SHIFT, &pmd) || !pmd) {
		walker->addr = next_boundary(walker->addr, PMD_SHIFT);
		return 0;
	}
	/* Not a table: mapped as a whole, or (not present) a huge swap, migration or marker entry. */
	if (pmd & PTE_LARGE || !(pmd & PTE_PRESENT))
		return emit_huge(walker, arena, pmd, PMD_SHIFT);
	if (SUMS && walker->only_huge) {
		walker->addr = next_boundary(walker->addr, PMD_SHIFT);
		return 0;
	}
	return emit_table(walker, arena, pmd);
}

#endif
