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

#define MAGIC_DMABUF 0x444d4142
#define NAME_BYTES 32 /* DMA_BUF_NAME_LEN */

struct bpf_iter__dmabuf {
	struct bpf_iter_meta *meta;
	struct dma_buf *dmabuf;
};

struct file_draft draft;

/* As the link of an fd shows it. */
static __always_inline u32 put_path(char *path, struct dma_buf *buffer)
{
	const char prefix[] = "/dmabuf:";
	long len;

	for (u32 i = 0; i < sizeof(prefix) - 1; i++)
		path[i] = prefix[i];
	path[sizeof(prefix) - 1] = '\0';
	len = bpf_probe_read_kernel_str(path + sizeof(prefix) - 1, NAME_BYTES,
					BPF_CORE_READ(buffer, name));
	return sizeof(prefix) - 1 + (len > 0 ? len & (2 * NAME_BYTES - 1) : 1);
}

SEC("iter/dmabuf")
int list_dmabufs(struct bpf_iter__dmabuf *ctx)
{
	struct file_record *out = &draft.record;
	struct dma_buf *buffer = ctx->dmabuf;
	struct inode *inode;
	u32 len;

	if (!buffer)
		return 0;
	inode = BPF_CORE_READ(buffer, file, f_inode);
	out->magic = MAGIC_DMABUF;
	out->backing = 0;
	out->backing_known = 0;
	out->exporter_bytes = 0;
	out->mapping = (u64)BPF_CORE_READ(buffer, file, f_mapping);
	out->inode = BPF_CORE_READ(inode, i_ino);
	out->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	len = put_path(draft.path, buffer);
	fill_dmabuf(out, buffer, &draft.path[len & (FILES_PATH_BYTES - 1)]);
	out->path_bytes = (len + out->exporter_bytes + 7) & (2 * FILES_PATH_BYTES - 8);
	bpf_seq_write(ctx->meta->seq, &draft, sizeof(draft.record) + out->path_bytes);
	return 0;
}
