// SPDX-License-Identifier: MIT
/*
 * The method that counts pages from page tables, copied by the BPF walk.
 */
#include <errno.h>

#include "snapshot/capture.h"

struct table_walk {
	struct capture *c;
	uint32_t region; /* whose tables come now, MEMOIR_NONE: nobody's */
};

static void table_vma(const struct walk_vma *vma, const char *path, const char *name, void *arg)
{
	struct table_walk *tw = arg;

	tw->region = capture_take_vma(tw->c, vma, path, name);
	if (tw->region == MEMOIR_NONE)
		return;
	/* Which pages of it are copies only pagemap can tell where struct page could not be read. */
	if (vma->mapping && vma->anon_vma && !(vma->flags & VM_SHARED) &&
	    !(vma->bits & WALK_TAGGED)) {
		tw->c->counts[tw->region].by_words = true;
		tw->region = MEMOIR_NONE;
	}
}

static void table_entries(uint64_t addr, const uint64_t *entries, size_t n, void *arg)
{
	struct table_walk *tw = arg;

	if (tw->region != MEMOIR_NONE)
		count_table(tw->c, tw->region, addr, entries, n);
}

static void table_huge(uint64_t addr, uint64_t entry, uint64_t span_bytes, void *arg)
{
	struct table_walk *tw = arg;

	if (tw->region != MEMOIR_NONE)
		count_huge(tw->c, tw->region, addr, entry, span_bytes);
}

static const struct walk_visitor table_visitor = {
	.vma = table_vma,
	.table = table_entries,
	.huge = table_huge,
};

int capture_by_tables(struct capture *c, struct memoir_error *error)
{
	struct table_walk tw = { .c = c, .region = MEMOIR_NONE };
	struct walk *walk = memoir_walk(c->memoir, error);
	int err = walk ? walk_calibrate(walk, c->memoir->root) : -EOPNOTSUPP;

	if (err)
		return error && error->code
			       ? err
			       : error_set(error, err,
					   "page tables can't be read on this machine; "
					   "see `memoir check`");
	c->file_by_offset = true;
	err = capture_list_tasks(c, walk);
	if (!err)
		err = walk_vmas(walk, capture_scope(c, walk), true, &table_visitor, &tw);
	return err ? err : capture_words_left(c);
}
