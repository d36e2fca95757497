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

#define touch(value) asm volatile("" ::"r"(value))

static __always_inline void touch_node(u64 node)
{
	for (u32 at = 0; at < MAPLE_NODE_BYTES; at += 64)
		touch(read_at(node, at));
}

/* One level down, to what has walker.warm_addr; the next node beside it is read soon. */
static long warm_step(u32 i, void *unused)
{
	u64 entry = walker.maple, node = entry & ~(MAPLE_NODE_BYTES - 1);
	u32 type = MAPLE_TYPE(entry), slot;
	bool arange = type == MAPLE_ARANGE;
	u64 slots = node + (arange ? MAPLE_ARANGE_SLOTS_AT : MAPLE_SLOTS_AT);

	if (type != MAPLE_RANGE && !arange)
		return 1;
	for (slot = 0; slot < MAPLE_SLOTS - 1; slot++) {
		u64 pivot = read_at(node + MAPLE_PIVOTS, slot * 8);

		if (!pivot || (arange && slot == MAPLE_ARANGE_SLOTS - 1))
			break;
		if (walker.warm_addr <= pivot) {
			walker.warm_last = pivot;
			touch_node(read_at(slots + 8, slot * 8) & ~(MAPLE_NODE_BYTES - 1));
			break;
		}
	}
	walker.maple = read_at(slots, slot * 8);
	return 0;
}

static __always_inline void warm_leaf(u64 slots)
{
	for (u32 i = 0; i < MAPLE_SLOTS; i++) {
		struct vm_area_struct *vma = as_vma(read_at(slots, i * 8));

		touch(vma->vm_start);
		touch(vma->vm_file);
		touch(vma->shared.rb.rb_left);
	}
	for (u32 i = 0; i < MAPLE_SLOTS; i++) {
		struct vm_area_struct *vma = as_vma(read_at(slots, i * 8));

		touch(read_at((u64)vma->anon_vma, layout.anon_children));
		touch(vma->vm_file->f_inode);
	}
}

static __always_inline void warm(struct mm_struct *mm, u64 addr)
{
	if (!may_cast || (walker.warm_mm == (u64)mm && addr <= walker.warm_last))
		return;
	walker.warm_mm = (u64)mm;
	walker.warm_addr = addr;
	walker.warm_last = ~0ull;
	walker.maple = read_field(mm, mm_mt.ma_root);
	bpf_loop(8, warm_step, NULL, 0);
	if (MAPLE_TYPE(walker.maple) == MAPLE_LEAF)
		warm_leaf((walker.maple & ~(MAPLE_NODE_BYTES - 1)) + MAPLE_SLOTS_AT);
}

#endif
