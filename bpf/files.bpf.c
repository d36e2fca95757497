// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A BPF iterator over all open files that sends those whose memory lives as long as they are open, of everything that
 * memoir knows; what most captures need of them comes with the tasks (walk_files.h). It only reads.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

typedef __u32 u32;
typedef __u64 u64;

#define FILES_ALL
#include "files_format.h"
#include "files_kernel.h"
#include "core_mapping.h"
#include "core_remember.h"
#include "dmabuf_read.h"
#include "files_read.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Not on the program's stack, which has 512 bytes. */
struct file_draft draft;

SEC("iter/task_file")
int list_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file, *below = file;
	struct file_record *out = &draft.record;
	struct inode *inode;
	long len;

	if (!task || !file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	clear(out);
	if (!choose(out, &below, &inode))
		return 0;
	fill(out, below, inode);
	out->tgid = BPF_CORE_READ(task, tgid);
	out->tid = BPF_CORE_READ(task, pid);
	out->fd = ctx->fd;
	len = bpf_d_path(&file->f_path, draft.path, FILES_PATH_BYTES);
	if (len < 1 || len > FILES_PATH_BYTES) {
		draft.path[0] = '\0';
		len = 1;
	}
	if (out->magic == MAGIC_DMABUF)
		len += add_dmabuf(out, file, &draft.path[len & (FILES_PATH_BYTES - 1)]);
	/* The mask bounds it in the eyes of any verifier. */
	out->path_bytes = (len + 7) & (2 * FILES_PATH_BYTES - 8);
	bpf_seq_write(ctx->meta->seq, &draft, sizeof(draft.record) + out->path_bytes);
	/* dma_buf has taken its place, and the walk waits for it. */
	remember(struct mm_struct, brk);
	return 0;
}
