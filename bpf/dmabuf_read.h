/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What is read of a dma-buf, the same for all iterators that come across one.
 */
#ifndef MEMOIR_DMABUF_READ_H
#define MEMOIR_DMABUF_READ_H

/* Eight characters as a little-endian machine reads them. */
#define EIGHT(a, b, c, d, e, f, g, h)                                                  \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 | \
	 (u64)(f) << 40 | (u64)(g) << 48 | (u64)(h) << 56)

#define DMABUF_NAME_BYTES 32 /* DMA_BUF_NAME_LEN */

/* Which file the pages of a udmabuf are in, as long as that lives. */
static __always_inline void fill_backing(struct file_record *out, struct udmabuf *udmabuf)
{
	struct folio **folios, *first = NULL;

	if (!bpf_core_field_exists(udmabuf->folios) || !bpf_core_field_exists(first->mapping))
		return;
	folios = BPF_CORE_READ(udmabuf, folios);
	if (!folios || bpf_probe_read_kernel(&first, sizeof(first), folios))
		return;
	out->backing = (u64)BPF_CORE_READ(first, mapping);
	out->backing_known = 1;
}

/* With its NUL the name has eight bytes. */
static __always_inline bool is_udmabuf(const char *exporter)
{
	u64 begin = 0;

	bpf_probe_read_kernel(&begin, sizeof(begin), exporter);
	return begin == EIGHT('u', 'd', 'm', 'a', 'b', 'u', 'f', 0);
}

/*
 * The exporter's name goes behind the path. What they are told apart by is the inode: all of a graphics device
 * have one mapping, the device's.
 */
static __always_inline void fill_dmabuf(struct file_record *out, struct dma_buf *buffer,
					char *exporter)
{
	long len;

	out->mapping = (u64)BPF_CORE_READ(buffer, file, f_inode);
	if (!bpf_core_field_exists(buffer->exp_name))
		return;
	out->size_bytes = BPF_CORE_READ(buffer, size);
	len = bpf_probe_read_kernel_str(exporter, FILES_EXPORTER_BYTES,
					BPF_CORE_READ(buffer, exp_name));
	out->exporter_bytes = len > 1 ? len : 0;
	if (len > 1 && is_udmabuf(exporter))
		fill_backing(out, BPF_CORE_READ(buffer, priv));
}

/* As the link of an fd shows it. */
static __always_inline u32 put_path(char *path, struct dma_buf *buffer)
{
	const char prefix[] = "/dmabuf:";
	long len;

	for (u32 i = 0; i < sizeof(prefix) - 1; i++)
		path[i] = prefix[i];
	path[sizeof(prefix) - 1] = '\0';
	len = bpf_probe_read_kernel_str(path + sizeof(prefix) - 1, DMABUF_NAME_BYTES,
					BPF_CORE_READ(buffer, name));
	return sizeof(prefix) - 1 + (len > 0 ? len & (2 * DMABUF_NAME_BYTES - 1) : 1);
}

/* A record of a buffer that is not found by an fd. */
static __always_inline void send_dmabuf(struct seq_file *seq, struct file_draft *draft,
					struct dma_buf *buffer)
{
	struct file_record *out = &draft->record;
	struct inode *inode = BPF_CORE_READ(buffer, file, f_inode);
	u32 len;

	out->magic = MAGIC_DMABUF;
	out->backing = 0;
	out->backing_known = 0;
	out->exporter_bytes = 0;
	out->inode = BPF_CORE_READ(inode, i_ino);
	out->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	len = put_path(draft->path, buffer);
	fill_dmabuf(out, buffer, &draft->path[len & (FILES_PATH_BYTES - 1)]);
	out->path_bytes = (len + out->exporter_bytes + 7) & (2 * FILES_PATH_BYTES - 8);
	bpf_seq_write(seq, draft, sizeof(draft->record) + out->path_bytes);
}

#endif
