/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * By what the path of a file is known. The walk that holds the lock sends each path once. Of a file that is not known to
 * stay the kernel tells no path: the other walk sends where it stands in the kernel's memory, and user space asks for
 * the path if it has none for that (walk_path.c).
 */
#ifndef MEMOIR_WALK_PATHS_H
#define MEMOIR_WALK_PATHS_H

#define SB_KERNMOUNT (1ul << 22)
#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define S_IFMT 0170000
#define S_IFREG 0100000

/* A regular file of a file system that was mounted, and is not made of memory: its path tells nothing of what it is. */
static __always_inline bool is_plain(struct walker *walker, struct inode *inode)
{
	return (inode->i_mode & S_IFMT) == S_IFREG && walker->state.file.magic != TMPFS_MAGIC &&
	       walker->state.file.magic != HUGETLBFS_MAGIC &&
	       !(read_at(walker->state.file.sb, layout.sb_flags) & SB_KERNMOUNT);
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

#if LOCKLESS

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
static __always_inline void emit_memfd(struct walker *walker, struct arena *arena, u64 dentry)
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
	out->id = 0;
	out->len = len + 10;
	stream_add(&walker->state, &out->head, WALK_PATH, sizeof(*out) + ((len + 10 + 7) & ~7ul));
}

static __always_inline void find_path(struct walker *walker, struct arena *arena, struct file *file,
				      u64 node)
{
	struct walk_path *path = &walker->state.file.path;
	u64 flags = read_at(walker->state.file.sb, layout.sb_flags);

	path->mnt = read_field(walker, file, f_path.mnt);
	path->dentry = read_field(walker, file, f_path.dentry);
	path->node = node;
	path->stacked = is_stacked(path->mnt, flags);
	if (walker->state.file.magic == TMPFS_MAGIC && flags & SB_KERNMOUNT)
		emit_memfd(walker, arena, path->dentry);
}

#else

struct path_key {
	struct path path;
	u64 inode, mapping;
};

struct path_value {
	u32 id, generation;
	u32 stacked;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 13);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct path_key);
	__type(value, struct path_value);
} paths SEC(".maps");

static __always_inline void emit_path(struct walker *walker, struct arena *arena, struct file *file,
				      u32 id)
{
	struct walk_text *out = stream_end(&walker->state, arena);
	long len;

	if (!out)
		return;
	len = bpf_d_path(&file->f_path, out->bytes, WALK_PATH_BYTES);
	if (len < 1 || len > WALK_PATH_BYTES)
		len = 1;
	out->id = id;
	out->len = len - 1;
	stream_add(&walker->state, &out->head, WALK_PATH, sizeof(*out) + ((len + 7) & ~7ul));
}

/* Find the file's path; it is sent before its VMA if it is new in this walk. */
static __always_inline void find_path(struct walker *walker, struct arena *arena, struct file *file,
				      u64 node)
{
	struct path_key key = { .inode = node, .mapping = read_field(walker, file, f_mapping) };
	struct path_value new = { .generation = config.generation };
	struct path_value *known;

	key.path.mnt = (void *)read_field(walker, file, f_path.mnt);
	key.path.dentry = (void *)read_field(walker, file, f_path.dentry);
	known = bpf_map_lookup_elem(&paths, &key);
	if (known && known->generation == config.generation) {
		walker->state.file.path.stacked = known->stacked;
		walker->state.file.path.id = known->id;
		return;
	}
	new.id = ++walker->state.next_path;
	new.stacked =
		is_stacked((u64)key.path.mnt, read_at(walker->state.file.sb, layout.sb_flags));
	bpf_map_update_elem(&paths, &key, &new, BPF_ANY);
	emit_path(walker, arena, file, new.id);
	walker->state.file.path.id = new.id;
	walker->state.file.path.stacked = new.stacked;
}

#endif

#endif
