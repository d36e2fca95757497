// SPDX-License-Identifier: MIT
/*
 * dma-bufs: memory of a driver, exported as a file. Their mappings are PFNMAP and in no rss; pages of
 * heaps are in no counter of the kernel's. fdinfo has size, count, exp_name and name.
 */
#include "buffers/class.h"
#include "kernel/magic.h"

#define LINK "/dmabuf:"

static bool is(const struct buffer_clues *clues)
{
	return clues->magic == DMA_BUF_MAGIC || (!clues->magic && path_starts(clues, LINK));
}

/* The name that DMA_BUF_SET_NAME gave. */
static void tag(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	if (path_starts(clues, LINK))
		tag_by_path(clues, strlen(LINK), false, facts);
}

static void line(struct buffer_facts *facts, const char *key, const char *value)
{
	if (strcmp(key, "size") == 0)
		parse_bytes(value, &facts->size_bytes);
	else if (strcmp(key, "exp_name") == 0)
		copy_text(facts->exporter, sizeof(facts->exporter), value, strlen(value));
}

static bool complete(const struct buffer_clues *clues)
{
	return clues->exporter && clues->size_bytes;
}

/* Heaps allocate all of a buffer when it is made, and from RAM. Graphics drivers may do either later. */
static bool is_heap(const char *exporter)
{
	return strcmp(exporter, "system") == 0 || strcmp(exporter, "system-uncached") == 0 ||
	       strcmp(exporter, "reserved") == 0 || strcmp(exporter, "default_cma_region") == 0 ||
	       strcmp(exporter, "linux,cma") == 0;
}

static void settle(const struct buffer_clues *clues, struct buffer_facts *facts)
{
	(void)clues;
	facts->resident_known = facts->size_bytes && is_heap(facts->exporter);
	facts->resident_bytes = facts->resident_known ? facts->size_bytes : 0;
}

const struct buffer_class dmabuf_class = {
	.what = "dma-buf",
	.kind = BUFFER_DMABUF,
	.is = is,
	.tag = tag,
	.line = line,
	.settle = settle,
	.complete = complete,
};
