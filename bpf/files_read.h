/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which open files have memory that lives as long as they are open, and what is told of them: those of tmpfs and
 * memfds, of hugetlbfs, deleted ones, dma-bufs and DRM clients; with FILES_ALL rings, guest memory and sockets with
 * files in flight, too.
 */
#ifndef MEMOIR_FILES_READ_H
#define MEMOIR_FILES_READ_H

#define MAGIC_TMPFS 0x01021994
#define MAGIC_HUGETLBFS 0x958458f6
#define MAGIC_SECRETMEM 0x5345434d
#define MAGIC_OVERLAYFS 0x794c7630

/* A number of eight bytes in a file's address_space. */
static __always_inline u64 read_mapping(struct file *file, u64 offset)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value),
			      (void *)((u64)BPF_CORE_READ(file, f_mapping) + offset));
	return value;
}

/* Whether the pointer is one to a regular file, as far as its parts point at each other. */
static __always_inline bool is_file(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	return inode && read_mapping(file, mapping_offset(host)) == (u64)inode;
}

/* The file below one of overlayfs: in private_data, since 6.13 behind one more pointer. */
static __always_inline struct file *file_below(struct file *file)
{
	struct file *below = BPF_CORE_READ(file, private_data);

	if (!is_file(below) && bpf_probe_read_kernel(&below, sizeof(below), below))
		return file;
	return is_file(below) ? below : file;
}

static __always_inline u64 swapped_pages(struct inode *inode)
{
	struct shmem_inode_info *info = NULL;
	u64 swapped = 0;

	info = (void *)((u64)inode - bpf_core_field_offset(info->vfs_inode));
	bpf_probe_read_kernel(&swapped, sizeof(swapped), &info->swapped);
	return swapped;
}

/* Whether what memory a file has lives as long as it is open. */
static __always_inline bool matters(struct file_record *out, struct inode *inode)
{
	out->magic = BPF_CORE_READ(inode, i_sb, s_magic);
	out->nlink = BPF_CORE_READ(inode, i_nlink);
	out->size_bytes = BPF_CORE_READ(inode, i_size);
	return out->magic == MAGIC_TMPFS || out->magic == MAGIC_HUGETLBFS ||
	       out->magic == MAGIC_SECRETMEM || (!out->nlink && out->size_bytes);
}

static __always_inline void fill(struct file_record *out, struct file *file, struct inode *inode)
{
	out->mapping = (u64)BPF_CORE_READ(file, f_mapping);
	out->size_bytes = BPF_CORE_READ(inode, i_size);
	out->nlink = BPF_CORE_READ(inode, i_nlink);
	out->pages = read_mapping(file, mapping_offset(nrpages));
	out->swapped_pages = out->magic == MAGIC_TMPFS ? swapped_pages(inode) : 0;
	out->inode = BPF_CORE_READ(inode, i_ino);
	out->blocks = BPF_CORE_READ(inode, i_blocks);
	out->mode = BPF_CORE_READ(inode, i_mode);
	out->dev = BPF_CORE_READ(inode, i_sb, s_dev);
}

/* ---- what is no file of a file system ------------------------------------------------------- */

#define TYPE_MASK 0170000
#define TYPE_FILE 0100000
#define TYPE_DEVICE 0020000 /* a character device */
#define TYPE_SOCKET 0140000

#define MAGIC_ANON_INODE 0x09041934
#define MAGIC_GUEST_MEMFD 0x474d454d
#define DRM_MAJOR 226
#define FAMILY_UNIX 1
#define STATE_LISTEN 10

/* Looking at each kind of structure costs the kernel some 0.1 ms when it loads a program. */
#ifdef FILES_ALL

/*
 * Rings and guest memory share their file system with every other anonymous inode. Their names are told
 * by the first eight bytes, which no others begin with: a loop would cost the verifier more than all else.
 */
static __always_inline bool is_ring(struct file *file)
{
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	u64 begin = 0;

	bpf_probe_read_kernel(&begin, sizeof(begin), name);
	return begin == EIGHT('[', 'i', 'o', '_', 'u', 'r', 'i', 'n') ||
	       begin == EIGHT('[', 'k', 'v', 'm', '-', 'g', 'm', 'e');
}

static __always_inline u32 files_in_flight(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);
	struct unix_sock *unix_sk = (void *)sk;

	if (!bpf_core_field_exists(unix_sk->scm_stat) || !sk ||
	    BPF_CORE_READ(sk, __sk_common.skc_family) != FAMILY_UNIX)
		return 0;
	/* Files wait in connections that it has not accepted yet. */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == STATE_LISTEN &&
	    BPF_CORE_READ(sk, sk_receive_queue.qlen))
		return FILES_IN_FLIGHT_UNKNOWN;
	return BPF_CORE_READ(unix_sk, scm_stat.nr_fds.counter);
}

/* How many bytes were put behind the path. */
static __always_inline u32 add_dmabuf(struct file_record *out, struct file *file, char *exporter)
{
	fill_dmabuf(out, BPF_CORE_READ(file, private_data), exporter);
	return out->exporter_bytes;
}

#else

static __always_inline bool is_ring(struct file *file)
{
	return false;
}

static __always_inline u32 files_in_flight(struct file *file)
{
	return 0;
}

/* The inode is the file's own, and counts its bytes as blocks. The exporter is left to fdinfo. */
static __always_inline void fill_small_dmabuf(struct file_record *out, struct file *file)
{
	out->mapping = (u64)BPF_CORE_READ(file, f_inode);
	out->size_bytes = out->blocks * 512;
}

#endif

/* Whether it is to be sent; *ret_inode is that of the file below where file systems are stacked. */
static __always_inline bool choose(struct file_record *out, struct file **file,
				   struct inode **inode)
{
	u32 type = BPF_CORE_READ(*inode, i_mode) & TYPE_MASK;

	if (type == TYPE_DEVICE) {
		out->rdev = BPF_CORE_READ(*inode, i_rdev);
		return out->rdev >> 20 == DRM_MAJOR;
	}
	if (type == TYPE_SOCKET) {
		out->in_flight = files_in_flight(*file);
		return out->in_flight;
	}
	/* Anonymous inodes had no type until 6.17. */
	if (type && type != TYPE_FILE)
		return false;
	out->magic = BPF_CORE_READ(*inode, i_sb, s_magic);
	if (out->magic == MAGIC_DMABUF || out->magic == MAGIC_GUEST_MEMFD)
		return true;
	if (out->magic == MAGIC_ANON_INODE)
		return is_ring(*file);
	if (!type)
		return false;
	if (out->magic == MAGIC_OVERLAYFS) {
		out->stacked = 1;
		*file = file_below(*file);
		*inode = BPF_CORE_READ(*file, f_inode);
	}
	return matters(out, *inode);
}

static __always_inline void clear(struct file_record *out)
{
	out->magic = 0;
	out->rdev = 0;
	out->in_flight = 0;
	out->backing = 0;
	out->backing_known = 0;
	out->exporter_bytes = 0;
	out->stacked = 0;
}

#endif
