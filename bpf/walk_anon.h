/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Who else may have a VMA's anonymous memory.
 */
#ifndef MEMOIR_WALK_ANON_H
#define MEMOIR_WALK_ANON_H

/* The anon_vma of the VMA at hand: read anew each time, or the verifier goes through all behind it for both cases. */
static __always_inline u64 anon_of_vma(struct walker *walker)
{
	return *(volatile u64 *)&walker->vma_anon;
}

/* The root is the first member, since there is one: read without a relocation (see walk_kernel.h). */
static __always_inline u64 anon_root(u64 anon)
{
	return read_at(anon, 0);
}

/* One step from an anon_vma towards its root. */
static long anon_step(u32 i, struct walker **self)
{
	struct walker *walker = *self;
	u64 at = read_at(walker->anon, layout.anon_parent);

	if (read_at(at, layout.anon_vmas) != 0 ||
	    read_at(at, layout.anon_children) != (at == walker->anon_root ? 2 : 1))
		return 1;
	walker->anon = at;
	if (at != walker->anon_root)
		return 0;
	walker->bits |= WALK_ALONE;
	return 1;
}

/*
 * Whether no VMA but those of this very anon_vma can map its pages: it has no children, and each of
 * its ancestors has neither VMAs nor another child. Deep chains are left to the counting of frames.
 * A root is its own parent, and all others lead to it: with members elsewhere than they are taken to be (tasks.bpf.c)
 * neither would be so.
 */
static __always_inline void find_alone(struct walker *walker, u64 anon, u64 root)
{
	if (read_at(anon, layout.anon_children) != (anon == root ? 1 : 0))
		return;
	if (anon == root) {
		if (read_at(anon, layout.anon_parent) == anon)
			walker->bits |= WALK_ALONE;
		return;
	}
	walker->anon = anon;
	walker->anon_root = root;
	/* Not a loop: the verifier would go through it as often as it can run. */
	repeat(walker, 12, anon_step);
}

static __always_inline void look_at(struct walker *walker, struct vm_area_struct *vma)
{
	u64 anon;

	walker->bits = 0;
	walker->vma_anon = (u64)vma->anon_vma;
	anon = anon_of_vma(walker);
	if (anon)
		find_alone(walker, anon, anon_root(anon));
}

#endif
