// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A BPF iterator over all dma-bufs, also those that no process has (Linux 6.16). It only reads.
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

struct bpf_iter__dmabuf {
	struct bpf_iter_meta *meta;
	struct dma_buf *dmabuf;
};

struct file_draft draft;

SEC("iter/dmabuf")
int list_dmabufs(struct bpf_iter__dmabuf *ctx)
{
	struct dma_buf *buffer = ctx->dmabuf;

	if (!buffer)
		return 0;
	send_dmabuf(ctx->meta->seq, &draft, buffer);
	return 0;
}
