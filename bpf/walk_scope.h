/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which VMAs are asked for, where not all are: by address spaces, and by what these have that others may share.
 */
#ifndef MEMOIR_WALK_SCOPE_H
#define MEMOIR_WALK_SCOPE_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 12);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, u32);
} wanted SEC(".maps");

static __always_inline bool is_wanted(u64 key)
{
	return bpf_map_lookup_elem(&wanted, &key);
}

/* VMAs come process by process, and those of one file stand together: the last answers are kept. */
static __always_inline bool mm_wanted(struct walker *walker, u64 mm)
{
	if (walker->state.last_mm != mm) {
		walker->state.last_mm = mm;
		walker->state.last_mm_wanted = is_wanted(mm);
	}
	return walker->state.last_mm_wanted;
}

static __always_inline bool file_wanted(struct walker *walker, struct file *file)
{
	if (walker->state.last_file != (u64)file) {
		walker->state.last_file = (u64)file;
		walker->state.last_file_wanted = is_wanted(read_field(walker, file, f_mapping)) ||
						 is_wanted((u64)file->f_inode);
	}
	return walker->state.last_file_wanted;
}

static __always_inline bool in_scope(struct walker *walker, struct mm_struct *mm,
				     struct vm_area_struct *vma, struct file *file)
{
	u64 anon;

	if (config.scope == WALK_ALL || mm_wanted(walker, (u64)mm))
		return true;
	if (config.scope != WALK_LISTED_OBJECTS)
		return false;
	/* The kernel's special mappings (vdso) are the same pages in all. */
	if (!file && read_field(walker, vma, vm_ops))
		return true;
	if (file && file_wanted(walker, file))
		return true;
	anon = anon_of_vma(walker);
	return anon && is_wanted(anon_root(anon));
}

#endif
