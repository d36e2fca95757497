/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Sends small name tables (docs/NAME-TABLE.md) along with the VMA that they are found by. What they say is for
 * user space, which checks all of it: here only the blocks are looked for that it will ask for, of segment 0.
 *
 * The process may be changing its table. So what is read counts if the generation is the same behind it, and each
 * page is still where it was found: then all came from the process's own pages, as none of its mappings has changed
 * (walk_moment.h). Else nothing is sent.
 *
 * Nearly all that it costs is waiting for memory that nobody has looked at, so no more is read than is needed.
 */
#ifndef MEMOIR_WALK_NAMES_H
#define MEMOIR_WALK_NAMES_H

#define PAGE_BYTES (1ull << PAGE_SHIFT)
#define BLOCK_BYTES ((u64)WALK_NAMES_BLOCK_BYTES)
#define SEGMENT_BLOCKS 64u
#define LEAVES_MAX 4u
#define LEAF_ENTRIES 63u
#define ENTRY_BYTES 16u /* of a leaf, and its own first ones, and a slot's */
/* Of the header, in numbers of 8 bytes; the directory's block is the upper half of the root. */
#define NAMES_MAGIC 0x544e72696f6d656dull /* "memoirNT", as the first of them is read */
#define HEADER_CHANGES 3                  /* its lower half */
#define HEADER_JOURNAL 5
#define HEADER_GENERATION 6
#define HEADER_ROOT 7
#define HEADER_USED 9
#define HEADER_SEGMENT 10
#define NAME_MASK 0xffffffull
#define NAMES_A_BLOCK 128u /* places where they may begin */
#define CHANGE_BYTES 24u
#define WHERE_ROOT (~0ull)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WALK_SENT);
	__type(key, u32);
	__type(value, struct walk_sent);
} sent SEC(".maps");

/* What of an entry tells that the page is still there. */
static __always_inline u64 place(u64 entry)
{
	return entry & (FRAME_MASK | PTE_PRESENT);
}

/* The kernel's address of what the process being walked has at an address; 0: not in RAM, as far as this knows. */
ONCE u64 in_ram(struct walker *walker NONNULL, u64 addr)
{
	u32 shift = PAGE_SHIFT;
	u64 table, offset, whole = 0;

	walker->addr = addr;
	if ((addr >> PUD_SHIFT << PUD_SHIFT != walker->pmds_start || !walker->pmds) &&
	    !find_pmds(walker, &whole))
		return 0;
	table = walker->pmds;
	if (!read_entry(table, addr, PMD_SHIFT, &walker->namer.entry) ||
	    !(walker->namer.entry & PTE_PRESENT))
		return 0;
	if (walker->namer.entry & PTE_LARGE) {
		shift = PMD_SHIFT;
	} else {
		table = walker->namer.entry;
		if (!read_entry(table, addr, PAGE_SHIFT, &walker->namer.entry) ||
		    !(walker->namer.entry & PTE_PRESENT))
			return 0;
	}
	walker->namer.entry_at =
		config.direct_map + (table & FRAME_MASK) + ((addr >> shift) & 511) * 8;
	offset = (walker->namer.entry & FRAME_MASK) + (addr & ((1ull << shift) - 1));
	return offset < config.max_phys ? config.direct_map + offset : 0;
}

/* An index that even older verifiers know to be less than a power of two. */
static __always_inline u64 below(u32 power, u32 i)
{
	barrier_var(i);
	return i & (power - 1);
}

/* Each once. A function of its own, and with numbers only, as the others here: so that it is verified once. */
ONCE int list_block(struct walker *walker NONNULL, u64 block, u32 bytes)
{
	u64 i = below(WALK_NAMES_ROOM, walker->namer.count);

	if (block < SEGMENT_BLOCKS && walker->namer.listed >> (block & 63) & 1)
		return 0;
	if (block >= SEGMENT_BLOCKS || i >= WALK_NAMES_BLOCKS) {
		walker->namer.failed = 1;
		return 0;
	}
	walker->namer.listed |= 1ull << block;
	walker->namer.blocks[i].block = block;
	walker->namer.blocks[i].bytes = bytes;
	walker->namer.count = i + 1;
	return 0;
}

/* What was taken from an offset on: at least two blocks of room. */
static __always_inline char *taken(struct walker *walker, struct arena *arena, u32 offset)
{
	u64 at = walker->state.used + sizeof(struct walk_names) + below(WALK_SLACK_BYTES, offset);

	if (at > WALK_ARENA_BYTES + WALK_SLACK_BYTES - 2 * BLOCK_BYTES)
		return NULL;
	barrier_var(arena);
	return arena->bytes + at;
}

static long list_name(u32 i, struct turn *turn)
{
	struct walker *walker = turn->walker;
	const char *leaf = taken(walker, turn->arena, walker->namer.leaf);
	u64 name;

	if (!leaf || i >= LEAF_ENTRIES || walker->namer.failed)
		return 1;
	name = *(const u64 *)(leaf + ENTRY_BYTES + 8 + below(64, i) * ENTRY_BYTES) & NAME_MASK;
	if (name)
		list_block(walker, name / NAMES_A_BLOCK, BLOCK_BYTES);
	return 0;
}

static long list_leaf(u32 i, struct turn *turn)
{
	struct walker *walker = turn->walker;
	const char *slots = taken(walker, turn->arena, 0);

	if (!slots)
		return 1;
	list_block(walker, *(const u64 *)(slots + below(LEAVES_MAX, i) * ENTRY_BYTES + 8), 0);
	return 0;
}

/* The directory, which leads to the leaves, which lead to the names. */
static long take_block(u32 at, struct turn *turn)
{
	struct walker *walker = turn->walker;
	struct arena *arena = turn->arena;
	u64 i = below(WALK_NAMES_ROOM, at), page, bytes;
	char *to = taken(walker, arena, walker->namer.bytes);

	if (at >= walker->namer.count)
		return 1;
	page = in_ram(walker, walker->namer.segment + walker->namer.blocks[i].block * BLOCK_BYTES);
	walker->namer.failed |= !page || !to;
	if (walker->namer.failed || !to)
		return 1;
	walker->namer.entries[i] = place(walker->namer.entry);
	walker->namer.entries_at[i] = walker->namer.entry_at;
	bytes = walker->namer.blocks[i].bytes;
	/* A leaf says itself how much there is in it. */
	if (!bytes)
		bytes = ENTRY_BYTES + (u64)below(64, read_at(page, 0)) * ENTRY_BYTES;
	bytes &= 2 * BLOCK_BYTES - 1;
	if (bpf_probe_read_kernel(to, bytes, (void *)page)) {
		walker->namer.failed = 1;
		return 1;
	}
	walker->namer.blocks[i].bytes = bytes;
	walker->namer.leaf = walker->namer.bytes;
	walker->namer.bytes += bytes;
	if (i == 0)
		repeat_with(walker, arena, walker->namer.leaves, list_leaf);
	else if (i <= walker->namer.leaves)
		repeat_with(walker, arena, bytes / ENTRY_BYTES - 1, list_name);
	return walker->namer.failed != 0;
}

static long prove_block(u32 at, struct walker **self)
{
	struct walker *walker = *self;
	u64 i = below(WALK_NAMES_ROOM, at);

	if (at >= walker->namer.count)
		return 1;
	walker->namer.failed |=
		place(read_word(walker->namer.entries_at[i])) != walker->namer.entries[i];
	return walker->namer.failed != 0;
}

/* Those that the ranges need. A leaf that is listed twice has not been listed as one, and is read elsewhere. */
static __always_inline bool take_blocks(struct walker *walker, struct arena *arena,
					const struct walk_names *out)
{
	walker->namer.leaves = out->header[HEADER_ROOT];
	if (walker->namer.leaves > LEAVES_MAX || walker->namer.segment % BLOCK_BYTES ||
	    out->header[HEADER_USED] > SEGMENT_BLOCKS * BLOCK_BYTES)
		return false;
	walker->namer.listed = walker->namer.failed = 0;
	list_block(walker, out->header[HEADER_ROOT] >> 32, LEAVES_MAX * ENTRY_BYTES);
	repeat_with(walker, arena, WALK_NAMES_BLOCKS, take_block);
	repeat(walker, WALK_NAMES_BLOCKS, prove_block);
	return !walker->namer.failed;
}

/* A word of segment 0; 0 where it can't be read. */
ONCE u64 word_at(struct walker *walker NONNULL, u64 where)
{
	u64 page = 0;

	if (where < SEGMENT_BLOCKS * BLOCK_BYTES)
		page = in_ram(walker, walker->namer.segment + where);
	return page ? read_word(page) : 0;
}

/*
 * Whether the word that makes the last change has been stored: a writer may be stopped before that, and store it when
 * the generation has long been the same. Only the journal tells; its places may lie across two pages.
 */
static __always_inline bool is_settled(struct walker *walker, const struct walk_names *out)
{
	u64 changes = (u32)out->header[HEADER_CHANGES], generation = out->header[HEADER_GENERATION];
	u64 at, where, before;

	if (!changes)
		return false;
	at = out->header[HEADER_JOURNAL] + generation % changes * CHANGE_BYTES;
	if (word_at(walker, at) != generation)
		return false;
	where = word_at(walker, at + 8);
	before = word_at(walker, at + 16);
	return before != (where == WHERE_ROOT ? out->header[HEADER_ROOT] : word_at(walker, where));
}

/* All of it, in the record's place. */
static __always_inline bool take_names(struct walker *walker, struct arena *arena,
				       struct walk_names *out, u64 anchor, u64 page, bool settles)
{
	if (bpf_probe_read_kernel(out->header, sizeof(out->header), (void *)page))
		return false;
	out->generation = out->header[HEADER_GENERATION];
	walker->namer.segment = out->header[HEADER_SEGMENT];
	/* Before anything is taken: then what is taken has that word. */
	out->settled = settles && is_settled(walker, out);
	if (!take_blocks(walker, arena, out) || in_ram(walker, anchor) != page ||
	    read_at(page, HEADER_GENERATION * 8) != out->generation || !stands(walker))
		return false;
	out->count = walker->namer.count;
	__builtin_memcpy(out->blocks, walker->namer.blocks, sizeof(out->blocks));
	return true;
}

/* Whether it is what was sent last of that address space. */
static __always_inline bool was_sent(struct walker *walker, const struct walk_sent *last,
				     u64 anchor, u64 generation)
{
	return last->mm == walker->mm && last->anchor == anchor && last->generation == generation &&
	       last->epoch == config.names_epoch;
}

/* Of a private file mapping of tmpfs, which may be an anchor: its path is for user space to know. */
ONCE int emit_names(struct walker *walker NONNULL, struct arena *arena NONNULL, u64 anchor)
{
	u32 bytes = __builtin_offsetof(struct walk_names, header), which = walker->tgid % WALK_SENT;
	struct walk_names *out = stream_end(&walker->state, arena);
	u64 addr = walker->addr, page;
	struct walk_sent *last;

	walker->namer.count = walker->namer.bytes = 0;
	page = in_ram(walker, anchor);
	if (!out || !page || read_word(page) != NAMES_MAGIC)
		goto out;
	last = config.names_epoch ? bpf_map_lookup_elem(&sent, &which) : NULL;
	if (last && was_sent(walker, last, anchor, read_at(page, HEADER_GENERATION * 8))) {
		out->generation = last->generation;
		out->count = 0;
		if (!stands(walker))
			goto out;
	} else if (take_names(walker, arena, out, anchor, page, last)) {
		bytes = sizeof(*out) + walker->namer.bytes;
		if (last && out->settled)
			*last = (struct walk_sent){ walker->mm, anchor, out->generation,
						    config.names_epoch };
	} else {
		goto out;
	}
	out->anchor = anchor;
	stream_add(&walker->state, &out->head, WALK_NAMES, bytes);
out:
	walker->addr = addr;
	return 0;
}

#endif
