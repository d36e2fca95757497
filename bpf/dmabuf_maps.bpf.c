// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A BPF iterator over all mappings that sends the dma-bufs among them: some may be open nowhere, and
 * before Linux 6.16 nothing else tells who made these. It only reads.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

typedef __u32 u32;
typedef __u64 u64;

#include "files_format.h"
#include "files_kernel.h"
#include "dmabuf_read.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct file_draft draft;

SEC("iter/task_vma")
int list_dmabuf_maps(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct file *file;
	struct dma_buf *buffer;

	if (!vma)
		return 0;
	file = BPF_CORE_READ(vma, vm_file);
	if (!file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != MAGIC_DMABUF)
		return 0;
	buffer = BPF_CORE_READ(file, private_data);
	if (buffer)
		send_dmabuf(ctx->meta->seq, &draft, buffer);
	return 0;
}
