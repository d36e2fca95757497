// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A BPF iterator over all open files that sends those whose memory lives as long as they are open:
 * of tmpfs and memfds, of hugetlbfs, and deleted ones. It only reads.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

typedef __u32 u32;
typedef __u64 u64;

#include "files_format.h"
#include "files_kernel.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAGIC_TMPFS 0x01021994
#define MAGIC_HUGETLBFS 0x958458f6
#define MAGIC_SECRETMEM 0x5345434d
#define MAGIC_OVERLAYFS 0x794c7630

/* Not on the program's stack, which has 512 bytes. */
struct file_draft draft;

static __always_inline bool is_regular(struct inode *inode)
{
	return (BPF_CORE_READ(inode, i_mode) & 0170000) == 0100000;
}

/* Whether the pointer is one to a regular file, as far as its parts point at each other. */
static __always_inline bool is_file(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	return inode && BPF_CORE_READ(file, f_mapping, host) == inode;
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

/* Of what does not matter most is told apart by its mode, and the rest by its file system. */
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
	struct address_space *mapping = BPF_CORE_READ(file, f_mapping);

	out->mapping = (u64)mapping;
	out->pages = BPF_CORE_READ(mapping, nrpages);
	out->swapped_pages = out->magic == MAGIC_TMPFS ? swapped_pages(inode) : 0;
	out->inode = BPF_CORE_READ(inode, i_ino);
	out->blocks = BPF_CORE_READ(inode, i_blocks);
	out->mode = BPF_CORE_READ(inode, i_mode);
	out->dev = BPF_CORE_READ(inode, i_sb, s_dev);
}

SEC("iter/task_file")
int list_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file, *below = file;
	struct inode *inode;
	long len;

	if (!task || !file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	if (!is_regular(inode))
		return 0;
	if (BPF_CORE_READ(inode, i_sb, s_magic) == MAGIC_OVERLAYFS) {
		below = file_below(file);
		inode = BPF_CORE_READ(below, f_inode);
	}
	if (!matters(&draft.record, inode))
		return 0;
	fill(&draft.record, below, inode);
	draft.record.tgid = BPF_CORE_READ(task, tgid);
	draft.record.fd = ctx->fd;
	len = bpf_d_path(&file->f_path, draft.path, FILES_PATH_BYTES);
	if (len < 1 || len > FILES_PATH_BYTES) {
		draft.path[0] = '\0';
		len = 1;
	}
	/* The mask bounds it in the eyes of any verifier. */
	draft.record.path_bytes = (len + 7) & (2 * FILES_PATH_BYTES - 8);
	bpf_seq_write(ctx->meta->seq, &draft, sizeof(draft.record) + draft.record.path_bytes);
	return 0;
}
