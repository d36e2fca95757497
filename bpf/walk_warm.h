/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Reads VMAs before they are visited, a leaf of the process's maple tree at a time: the first touch of a VMA is
 * a cache miss, and those of a leaf (up to 16) overlap, which is most of what a walk saves. Nothing is learnt here
 * and no answer depends on it, so a tree that looks different tomorrow costs time only.
 */
#ifndef MEMOIR_WALK_WARM_H
#define MEMOIR_WALK_WARM_H

/* lib/maple_tree.c: a node is 256 bytes; the address of its entry has its type in the bits below. */
#define MAPLE_NODE_BYTES 256ull
#define MAPLE_TYPE(entry) (((entry) >> 3) & 15)
#define MAPLE_LEAF 1
#define MAPLE_RANGE 2
#define MAPLE_ARANGE 3
#define MAPLE_PIVOTS 8 /* where they stand: the last address in each slot but the last */
#define MAPLE_SLOTS 16
#define MAPLE_SLOTS_AT 128
#define MAPLE_ARANGE_SLOTS 10
#define MAPLE_ARANGE_SLOTS_AT 80

/* Have it read, though nobody looks at it. */
#define touch(value) asm volatile("" ::"r"(value))

/* bpf_loop() instead of loops: those the verifier would go through as often as they can run. */
/* Find the slot for walker.warm_addr among the pivots of walker.maple. */
static long pivot_step(u32 i, struct walker **self)
{
	struct walker *walker = *self;
	u64 pivot =
		read_word((walker->maple & ~(MAPLE_NODE_BYTES - 1)) + MAPLE_PIVOTS + (u64)i * 8);

	walker->slot = i;
	if (!pivot || i == walker->slots - 1)
		return 1;
	if (walker->warm_addr > pivot)
		return 0;
	walker->warm_last = pivot;
	return 1;
}

/* One level down; the next node beside it is read soon. */
static long level_step(u32 i, struct walker **self)
{
	struct walker *walker = *self;
	u64 entry = walker->maple, next, at;
	u32 type = MAPLE_TYPE(entry);

	if (type != MAPLE_RANGE && type != MAPLE_ARANGE)
		return 1;
	at = (entry & ~(MAPLE_NODE_BYTES - 1)) + MAPLE_SLOTS_AT;
	walker->slots = MAPLE_SLOTS;
	if (type == MAPLE_ARANGE) {
		at += MAPLE_ARANGE_SLOTS_AT - MAPLE_SLOTS_AT;
		walker->slots = MAPLE_ARANGE_SLOTS;
	}
	repeat(walker, MAPLE_SLOTS, pivot_step);
	at += (u64)walker->slot * 8;
	walker->maple = read_word(at);
	next = read_word(at + 8) & ~(MAPLE_NODE_BYTES - 1);
	touch(read_word(next));
	touch(read_word(next + 64));
	touch(read_word(next + 128));
	touch(read_word(next + 192));
	return 0;
}

/* All slots once for the VMAs, and then for what these lead to. One function, as each costs 0.1 ms to load. */
static long warm_step(u32 step, struct walker **self)
{
	struct walker *walker = *self;
	u64 slots = (walker->maple & ~(MAPLE_NODE_BYTES - 1)) + MAPLE_SLOTS_AT;
	struct vm_area_struct *vma = as_vma(read_word(slots + (u64)(step % MAPLE_SLOTS) * 8));

	if (step < MAPLE_SLOTS) {
		touch(vma->vm_start);
		touch(vma->vm_file);
	} else {
		touch(read_at(number_of(walker, vma->anon_vma), layout.anon_children));
		touch(vma->vm_file->f_inode);
	}
	return 0;
}

/* The leaf that has an address: it is walker.maple then, and ends at walker.warm_last. */
static __always_inline void warm_leaf(struct walker *walker, u64 root, u64 addr)
{
	walker->warm_addr = addr;
	walker->warm_last = ~0ull;
	walker->maple = root;
	repeat(walker, 8, level_step);
	if (MAPLE_TYPE(walker->maple) != MAPLE_LEAF)
		return;
	repeat(walker, 2 * MAPLE_SLOTS, warm_step);
}

static __always_inline void warm(struct walker *walker, struct mm_struct *mm, u64 addr)
{
	if (!may_cast || (walker->warm_mm == (u64)mm && addr <= walker->warm_last))
		return;
	walker->warm_mm = (u64)mm;
	warm_leaf(walker, read_field(walker, mm, mm_mt.ma_root), addr);
}

#endif
