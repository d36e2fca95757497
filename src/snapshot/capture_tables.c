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

/* Names may split it: until the process turns out to have none, its pages are kept. */
static void keep_presence(struct capture *c, uint32_t i)
{
	const struct memoir_region *region = &c->snap->regions[i];

	presence_enter(&c->presence, region->process);
	if (capture_is_anchor(c, region))
		presence_keep(&c->presence);
	c->counts[i].by_presence =
		capture_is_nameable(region) && c->snap->processes[region->process].in_scope;
}

static void table_vma(const struct walk_vma *vma, const char *path, const char *name, void *arg)
{
	struct table_walk *tw = arg;

	tw->region = capture_take_vma(tw->c, vma, path, name);
	if (tw->region == MEMOIR_NONE)
		return;
	if (tw->c->presence.wanted)
		keep_presence(tw->c, tw->region);
	/* Which pages of it are copies only pagemap can tell where struct page could not be read. */
	if (vma->mapping && vma->anon_vma && !(vma->flags & VM_SHARED) &&
	    !(vma->bits & WALK_TAGGED)) {
		tw->c->counts[tw->region].by_words = true;
		tw->c->words_left = true;
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
	struct walk *walk = capture_open_walk(c, error);
	int err = walk ? walk_calibrate(walk, c->memoir->root) : -EOPNOTSUPP;

	if (err)
		return error && error->code
			       ? err
			       : error_set(error, err,
					   "page tables can't be read on this machine; "
					   "see `memoir check`");
	c->file_by_offset = true;
	c->presence.wanted = capture_wants_names(c) && !c->options.without_pages;
	err = capture_list_tasks(c, walk);
	if (!err)
		err = walk_vmas(walk, capture_scope(c, walk), !c->options.without_pages,
				&table_visitor, &tw);
	presence_enter(&c->presence, UINT32_MAX);
	return err || c->options.without_pages ? err : capture_words_left(c);
}
