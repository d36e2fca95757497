/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * One VMA, however it was come by: whether it is asked for, what is sent of it, its file and its path.
 */
#ifndef MEMOIR_WALK_VMA_H
#define MEMOIR_WALK_VMA_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 12);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, u32);
} wanted SEC(".maps");

struct path_key {
	struct path path;
	u64 inode, mapping;
};

/* The kernel may reuse one that is being replaced while it is read: then it is another inode's. */
struct path_value {
	u64 inode; /* written before the rest, and read behind it */
	u32 id, generation;
	u32 stacked, unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 13);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct path_key);
	__type(value, struct path_value);
} paths SEC(".maps");

/* Pointers are followed by read_field(), or once a task by BPF_CORE_READ; walk_read.h says why. */

#define VM_SHARED 0x00000008ull
#define VM_HUGETLB 0x00400000ull
#define SB_KERNMOUNT (1ul << 22)

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

/* Whether the VMA is all there is in its address_space's tree: the root, without children. */
static __always_inline bool mapping_sole(struct walker *walker, struct vm_area_struct *vma)
{
	u64 node = number_of(walker, vma) + bpf_core_field_offset(vma->shared.rb);
	struct rb_node *children = NULL;

	return walker->state.file.tree == node && !read_at(node, (u64)&children->rb_left) &&
	       !read_at(node, (u64)&children->rb_right);
}

static __always_inline void emit_path(struct walker *walker, struct arena *arena, struct file *file,
				      u32 id)
{
	struct walk_text *out = stream_end(&walker->state, arena);
	long len;

	/* Of a file that is not known to stay the kernel tells no path: but for memfds walk_path.c asks for it. */
	if (LOCKLESS || !out)
		return;
	len = bpf_d_path(&file->f_path, out->bytes, WALK_PATH_BYTES);
	if (len < 1 || len > WALK_PATH_BYTES)
		len = 1;
	out->id = id;
	out->len = len - 1;
	stream_add(&walker->state, &out->head, WALK_PATH, sizeof(*out) + ((len + 7) & ~7ul));
}

/*
 * Whether the file lies on a mount that nobody sees, but is no file of the kernel's own: a stacked file
 * system (overlayfs) maps the file below, while maps shows the path, device and inode above.
 */
static __always_inline u32 is_stacked(u64 mnt, u64 sb_flags)
{
	struct mount *mount = NULL;
	u64 namespace;

	mount = (void *)(mnt - bpf_core_field_offset(mount->mnt));
	namespace = (u64)BPF_CORE_READ(mount, mnt_ns);
	return (!namespace || namespace >= -4095ull) && !(sb_flags & SB_KERNMOUNT);
}

#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define DENTRY_NAME 40            /* behind flags, hash and parent, in every version */
#define MEMFD 0x3a64666d656d2full /* "/memfd:", as the first of it is read */

/* Written so that it becomes no map of constants, which would take longer to load than all of this. */
static __always_inline void put_deleted(char *to)
{
	*(u64 *)to = 0x6574656c65642820; /* " (delete" */
	to[8] = 'd';
	to[9] = ')';
}

/*
 * The path of a memfd is made of its name only, which never changes. With another layout it would not begin like one,
 * and be asked for as others are.
 */
static __always_inline void emit_memfd(struct walker *walker, struct arena *arena, u64 dentry,
				       u32 id)
{
	struct walk_text *out = stream_end(&walker->state, arena);
	u64 len;

	if (!out)
		return;
	len = bpf_probe_read_kernel_str(out->bytes + 1, WALK_NAME_BYTES,
					(void *)read_at(dentry, DENTRY_NAME));
	out->bytes[0] = '/';
	if (len > WALK_NAME_BYTES || *(u64 *)out->bytes << 8 >> 8 != MEMFD)
		return;
	len &= 2 * WALK_NAME_BYTES - 1;
	put_deleted(out->bytes + len);
	out->id = id;
	out->len = len + 10;
	stream_add(&walker->state, &out->head, WALK_PATH, sizeof(*out) + ((len + 10 + 7) & ~7ul));
}

/* Find the file's path; it is sent before its VMA if it is new in this walk. */
static __always_inline void find_path(struct walker *walker, struct arena *arena, struct file *file,
				      struct path_key *key)
{
	struct path_value new = { .inode = key->inode, .generation = config.generation };
	struct path_value *known;
	u64 flags;

	key->path.mnt = (void *)read_field(walker, file, f_path.mnt);
	key->path.dentry = (void *)read_field(walker, file, f_path.dentry);
	known = bpf_map_lookup_elem(&paths, key);
	if (known && known->generation == config.generation) {
		walker->state.file.stacked = *(volatile u32 *)&known->stacked;
		walker->state.file.path = *(volatile u32 *)&known->id;
		if (*(volatile u64 *)&known->inode == key->inode)
			return;
	}
	flags = read_at(walker->state.file.sb, layout.sb_flags);
	new.id = WALK_WALKERS * ++walker->state.next_path + walker->state.which;
	new.stacked = is_stacked((u64)key->path.mnt, flags);
	bpf_map_update_elem(&paths, key, &new, BPF_ANY);
	if (LOCKLESS && walker->state.file.magic == TMPFS_MAGIC && flags & SB_KERNMOUNT)
		emit_memfd(walker, arena, (u64)key->path.dentry, new.id);
	emit_path(walker, arena, file, new.id);
	walker->state.file.path = new.id;
	walker->state.file.stacked = new.stacked;
}

static __always_inline u64 shmem_swapped(struct walker *walker, u64 inode)
{
	struct shmem_inode_info *info = NULL;

	info = (void *)(inode - bpf_core_field_offset(info->vfs_inode));
	return read_field(walker, info, swapped);
}

#define S_IFMT 0170000
#define S_IFREG 0100000

/* A regular file of a file system that was mounted, and is not made of memory: its path tells nothing of what it is. */
static __always_inline bool is_plain(struct walker *walker, struct inode *inode)
{
	return (inode->i_mode & S_IFMT) == S_IFREG && walker->state.file.magic != TMPFS_MAGIC &&
	       walker->state.file.magic != HUGETLBFS_MAGIC &&
	       !(read_at(walker->state.file.sb, layout.sb_flags) & SB_KERNMOUNT);
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
	struct path_key key = { .inode = number_of(walker, inode) };
	struct walk_object *out;

	if (walker->state.file.file == (u64)file && walker->state.file.inode == key.inode &&
	    walker->state.file.mm == mm)
		return true;
	key.mapping = read_field(walker, file, f_mapping);
	walker->state.file.file = 0;
	walker->state.file.inode = key.inode;
	walker->state.file.mm = mm;
	walker->state.file.tree = read_at(key.mapping, layout.mapping_root);
	walker->state.file.sb = read_field(walker, inode, i_sb);
	walker->state.file.magic = read_at(walker->state.file.sb, layout.sb_magic);
	if (config.few_paths && is_plain(walker, inode))
		walker->state.file.path = walker->state.file.stacked = 0;
	else
		find_path(walker, arena, file, &key);
	out = stream_end(&walker->state, arena);
	if (!out)
		return false;
	/* Those of one graphics device all have the device's mapping. */
	out->mapping = walker->state.file.magic == DMABUF_MAGIC ? key.inode : key.mapping;
	out->inode = inode->i_ino;
	out->size_bytes = inode->i_size;
	out->resident_pages = read_at(key.mapping, layout.mapping_pages);
	out->swapped_pages =
		walker->state.file.magic == TMPFS_MAGIC ? shmem_swapped(walker, key.inode) : 0;
	out->dev = read_at(walker->state.file.sb, SB_DEV);
	out->magic = walker->state.file.magic;
	out->mode = inode->i_mode;
	out->path = walker->state.file.path;
	out->links = inode->i_nlink;
	out->stacked = walker->state.file.stacked;
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
	if ((!file || walker->state.file.magic == TMPFS_MAGIC) && emit_name(walker, arena, vma))
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

/* Who else may have its anonymous memory. */
static __always_inline void look_at(struct walker *walker, struct vm_area_struct *vma)
{
	u64 anon;

	walker->bits = 0;
	walker->vma_anon = (u64)vma->anon_vma;
	anon = anon_of_vma(walker);
	if (anon)
		find_alone(walker, anon, anon_root(anon));
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

	if (!in_scope(walker, mm, vma, file))
		return stands(walker) ? 0 : WALK_CHANGED;
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
#ifdef NAMES
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
