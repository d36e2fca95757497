// SPDX-License-Identifier: MIT
/*
 * udmabufs: dma-bufs whose pages are those of a memfd, all of which they fill in and pin. As long as the
 * memfd lives these are its pages, and are counted there; after that they are in no other counter.
 */
#include "buffers/class.h"

static bool is(const struct buffer_clues *clues)
{
	return clues->exporter && strcmp(clues->exporter, "udmabuf") == 0 && dmabuf_class.is(clues);
}

static void tag(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	dmabuf_class.tag(clues, facts);
}

/* Text does not tell whether the memfd lives: then rather none of it is charged than all of it twice. */
static void settle(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	facts->resident_known = facts->size_bytes;
	facts->resident_bytes = facts->size_bytes;
	facts->elsewhere_bytes = clues->backing_known && !clues->backing ? 0 : facts->size_bytes;
}

const struct buffer_class udmabuf_class = {
	.what = "udmabuf",
	.kind = BUFFER_DMABUF,
	.of_shmem = true,
	.is = is,
	.tag = tag,
	.settle = settle,
};
