/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What is read of a dma-buf, the same for both iterators that come across one.
 */
#ifndef MEMOIR_DMABUF_READ_H
#define MEMOIR_DMABUF_READ_H

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

static __always_inline bool is_udmabuf(const char *exporter)
{
	const char name[] = "udmabuf";

	for (u32 i = 0; i < sizeof(name); i++)
		if (exporter[i] != name[i])
			return false;
	return true;
}

/* The exporter's name goes behind the path. */
static __always_inline void fill_dmabuf(struct file_record *out, struct dma_buf *buffer,
					char *exporter)
{
	long len;

	if (!bpf_core_field_exists(buffer->exp_name))
		return;
	out->size_bytes = BPF_CORE_READ(buffer, size);
	len = bpf_probe_read_kernel_str(exporter, FILES_EXPORTER_BYTES,
					BPF_CORE_READ(buffer, exp_name));
	out->exporter_bytes = len > 1 ? len : 0;
	if (len > 1 && is_udmabuf(exporter))
		fill_backing(out, BPF_CORE_READ(buffer, priv));
}

#endif
