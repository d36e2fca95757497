/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * One VMA, however it was come by: what is sent of it, and of its file.
 */
#ifndef MEMOIR_WALK_VMA_H
#define MEMOIR_WALK_VMA_H

/* Pointers are followed by read_field(), or once a task by BPF_CORE_READ; walk_read.h says why. */

#define VM_SHARED 0x00000008ull
#define VM_HUGETLB 0x00400000ull

/* Whether the VMA is all there is in its address_space's tree: the root, without children. */
static __always_inline bool mapping_sole(struct walker *walker, struct vm_area_struct *vma)
{
	u64 node = number_of(walker, vma) + bpf_core_field_offset(vma->shared.rb);
	struct rb_node *children = NULL;

	return walker->state.file.tree == node && !read_at(node, (u64)&children->rb_left) &&
	       !read_at(node, (u64)&children->rb_right);
}

static __always_inline u64 shmem_swapped(struct walker *walker, u64 inode)
{
	struct shmem_inode_info *info = NULL;

	info = (void *)(inode - bpf_core_field_offset(info->vfs_inode));
	return read_field(walker, info, swapped);
}

#define DMABUF_MAGIC 0x444d4142
#define SB_DEV 16 /* behind a list_head, in every version */

/*
 * Send what is known of a file, and keep in state.file what is asked for by each of its VMAs. A library's stand together and
 * have one file: what was sent for the first stands for the others, until the arena is full.
 */
static __always_inline bool emit_object(struct walker *walker, struct arena *arena,
					struct file *file, struct inode *inode, u64 mm)
{
	u64 node = number_of(walker, inode), mapping;
	struct walk_object *out;

	if (walker->state.file.file == (u64)file && walker->state.file.inode == node &&
	    walker->state.file.mm == mm)
		return true;
	mapping = read_field(walker, file, f_mapping);
	walker->state.file.file = 0;
	walker->state.file.inode = node;
	walker->state.file.mm = mm;
	walker->state.file.tree = read_at(mapping, layout.mapping_root);
	walker->state.file.sb = read_field(walker, inode, i_sb);
	walker->state.file.magic = read_at(walker->state.file.sb, layout.sb_magic);
	walker->state.file.path = (struct walk_path){ 0 };
	if (!config.few_paths || !is_plain(walker, inode))
		find_path(walker, arena, file, node);
	out = stream_end(&walker->state, arena);
	if (!out)
		return false;
	/* Those of one graphics device all have the device's mapping. */
	out->mapping = walker->state.file.magic == DMABUF_MAGIC ? node : mapping;
	out->inode = inode->i_ino;
	out->size_bytes = inode->i_size;
	out->resident_pages = read_at(mapping, layout.mapping_pages);
	out->swapped_pages =
		walker->state.file.magic == TMPFS_MAGIC ? shmem_swapped(walker, node) : 0;
	out->dev = read_at(walker->state.file.sb, SB_DEV);
	out->magic = walker->state.file.magic;
	out->mode = inode->i_mode;
	out->links = inode->i_nlink;
	out->path = walker->state.file.path;
	stream_add(&walker->state, &out->head, WALK_OBJECT, sizeof(*out));
	walker->state.file.file = (u64)file;
	return true;
}

static __always_inline bool emit_name(struct walker *walker, struct arena *arena,
				      struct vm_area_struct *vma)
{
	struct vm_area_struct___named *named = (void *)vma;
	struct anon_vma_name *name;
	struct walk_text *out;
	long len;

	if (!bpf_core_field_exists(named->anon_name))
		return false;
	/* Before 6.2 a union: files have their place in the address_space's tree there. */
	if (vma->vm_file &&
	    bpf_core_field_offset(named->anon_name) == bpf_core_field_offset(vma->shared))
		return false;
	name = BPF_CORE_READ(named, anon_name);
	out = name ? stream_end(&walker->state, arena) : NULL;
	if (!out)
		return false;
	len = bpf_probe_read_kernel_str(out->bytes, WALK_NAME_BYTES, &name->name);
	if (len < 1 || len > WALK_NAME_BYTES)
		return false;
	out->id = 0;
	out->len = len - 1;
	stream_add(&walker->state, &out->head, WALK_NAME, sizeof(*out) + ((len + 7) & ~7ul));
	return true;
}

/* What maps shows for the kernel's special mappings. */
static __always_inline void emit_label(struct walker *walker, struct arena *arena,
				       struct vm_area_struct *vma)
{
	struct vm_special_mapping *special = vma->vm_private_data;
	const char *name = NULL;
	struct walk_text *out;
	long len;

	/* Without a file only these have operations. */
	if (!special || !read_field(walker, vma, vm_ops))
		return;
	out = stream_end(&walker->state, arena);
	if (!out)
		return;
	bpf_probe_read_kernel(&name, sizeof(name), &special->name);
	len = bpf_probe_read_kernel_str(out->bytes, WALK_LABEL_BYTES, name);
	if (len < 1 || len > WALK_LABEL_BYTES || out->bytes[0] != '[')
		return;
	out->id = 0;
	out->len = len - 1;
	stream_add(&walker->state, &out->head, WALK_LABEL, sizeof(*out) + WALK_LABEL_BYTES);
	walker->bits |= WALK_LABELLED;
}

/* Our own page whose struct page is to be found: a file of one page, so the tree's root is that page. */
static __always_inline void probe(struct walker *walker, struct file *file)
{
	walker->state.probe_page =
		read_at((u64)BPF_CORE_READ(file, f_mapping), layout.mapping_head);
	walker->state.page_struct_bytes = bpf_core_type_size(struct page);
}

/* WALK_COVERED, if the table that the VMA at hand begins with has been sent for one before it. */
ONCE int covered(struct walker *walker NONNULL)
{
	return LOCKLESS && walker->start < walker->sent_end && walker->start >= walker->sent_from
		       ? WALK_COVERED
		       : 0;
}

static __always_inline bool emit_vma(struct walker *walker, struct arena *arena,
				     struct mm_struct *mm, struct vm_area_struct *vma,
				     struct file *file)
{
	struct walk_vma *out;
	u64 anon;

	/* Before a path counts as sent: what finds no room comes again when the arena has been emptied. */
	if (!stream_end(&walker->state, arena))
		return false;
	if (file && !emit_object(walker, arena, file, file->f_inode, (u64)mm))
		return false;
	/* Of files only anonymous ones can have a name: those are shmem. */
	walker->bits |= (walker->tag ? WALK_TAGGED : 0) | covered(walker);
	if (!SUMS && (!file || walker->state.file.magic == TMPFS_MAGIC) &&
	    emit_name(walker, arena, vma))
		walker->bits |= WALK_NAMED;
	if (!file)
		emit_label(walker, arena, vma);
	else
		walker->bits |= WALK_MAPS_OBJECT | (mapping_sole(walker, vma) ? WALK_SOLE : 0);
	out = stream_end(&walker->state, arena);
	if (!out)
		return false;
	out->mm = (u64)mm;
	out->start = walker->start;
	out->end = vma->vm_end;
	out->flags = vma->vm_flags;
	out->offset_pages = vma->vm_pgoff + ((walker->start - vma->vm_start) >> PAGE_SHIFT);
	out->tgid = walker->tgid;
	out->tid = walker->tid;
	out->seq = walker->seq;
	anon = anon_of_vma(walker);
	out->anon_root = anon ? anon_root(anon) : 0;
	out->bits = walker->bits;
	stream_add(&walker->state, &out->head, WALK_VMA, sizeof(*out));
	return true;
}

static __always_inline bool resumes(struct walker *walker, struct vm_area_struct *vma,
				    struct mm_struct *mm)
{
	return walker->state.resume_addr && walker->state.resume_mm == (u64)mm &&
	       walker->state.resume_start == walker->start &&
	       walker->state.resume_end == vma->vm_end;
}

/* A step over a table that is not there takes 6 ns, and a process may have very many of these. */
#define STEPS_AT_ONCE (1u << 16)

/* From walker.addr to walker.end, or until it is enough for one call: then at least one step further. */
static __always_inline void walk_pages(struct walker *walker, struct arena *arena)
{
	u64 may = (u64)walker->steps + 1, taken = repeat_with(walker, arena, may, walk_step);

	walker->steps = taken < may ? may - 1 - taken : 0;
	if (taken >= may && !walker->stop)
		walker->stop = WALK_PAUSED;
}

/* What the last table has of the VMA at hand needs but to be tagged. True: that is all there is. */
static __always_inline bool pass_sent(struct walker *walker, struct arena *arena)
{
	u64 end = walker->end < walker->sent_end ? walker->end : walker->sent_end;

	if (walker->tag)
		tag_sent(walker, arena, (end - walker->addr) >> PAGE_SHIFT);
	walker->addr = end;
	return end == walker->end;
}

/*
 * Send a VMA that was looked at, from walker.start on, and the page tables below it. 0, or why it is not done
 * (enum walk_stop). What is sent already is remembered, and the next call for the same VMA goes on from there.
 */
static __always_inline u32 send_vma(struct walker *walker, struct arena *arena,
				    struct mm_struct *mm, struct vm_area_struct *vma)
{
	u64 before = walker->state.used;
	struct file *file = vma->vm_file;

#if !SUMS
	if (!in_scope(walker, mm, vma, file))
		return stands(walker) ? 0 : WALK_CHANGED;
#endif
	if (walker->tgid == config.probe_tgid && vma->vm_start == config.probe_addr && file)
		probe(walker, file);
	if (!walker->state.used)
		walker->state.file.file = walker->sent_end = 0;
	walker->tag = file && anon_of_vma(walker) && !(vma->vm_flags & VM_SHARED) && config.vmemmap;
	if (resumes(walker, vma, mm)) {
		walker->addr = walker->state.resume_addr;
	} else {
		if (!emit_vma(walker, arena, mm, vma, file))
			return WALK_FULL;
		if (!stands(walker)) {
			walker->state.used = before;
			walker->state.file.file = 0;
			return WALK_CHANGED;
		}
		walker->addr = walker->start;
	}
	walker->state.resume_addr = 0;
	if (!config.tables)
		return 0;
#if NAMES
	if (config.names && file && walker->state.file.magic == TMPFS_MAGIC &&
	    !(vma->vm_flags & VM_SHARED))
		emit_names(walker, arena, walker->start);
#endif
	walker->end = vma->vm_end;
	walker->stop = 0;
	if (LOCKLESS && walker->bits & WALK_COVERED && pass_sent(walker, arena))
		return 0;
	walker->hugetlb = vma->vm_flags & VM_HUGETLB;
	walk_pages(walker, arena);
	if (!walker->stop)
		return 0;
	/* What comes to lie before it is not to be told any more. */
	if (LOCKLESS)
		walker->from = walker->start;
	walker->state.resume_mm = (u64)mm;
	walker->state.resume_start = walker->start;
	walker->state.resume_end = vma->vm_end;
	walker->state.resume_addr = walker->addr;
	return walker->stop;
}

#endif
