// SPDX-License-Identifier: MIT
/*
 * The method that counts pages from page tables, copied by the BPF walk.
 */
#include <errno.h>

#include "snapshot/capture.h"

struct table_walk {
	struct capture *c;
	uint32_t region;  /* whose tables come now, MEMOIR_NONE: nobody's */
	uint32_t process; /* of the last region that was taken in */
};

/* All of a process was seen, and the next one begins, or none. */
static void leave_process(struct table_walk *tw, uint32_t next)
{
	int err = 0;

	if (tw->process == next)
		return;
	if (tw->process != MEMOIR_NONE)
		capture_settle_counters(tw->c, tw->process);
	if (tw->c->presence.wanted)
		err = capture_name_walked(tw->c);
	if (err)
		tw->c->error = err;
	tw->process = next;
	presence_enter(&tw->c->presence, next);
}

/* Names may split it: until the process turns out to have none, its pages are kept. */
static void keep_presence(struct capture *c, uint32_t i)
{
	struct region *region = capture_region(c, i);

	if (capture_is_anchor(c, region))
		presence_keep(&c->presence);
	region->by_presence =
		capture_is_nameable(region) && c->snap->processes[region->process].in_scope;
}

static void table_vma(const struct walk_vma *vma, const struct walk_object *object,
		      const char *path, const char *name, void *arg)
{
	struct table_walk *tw = arg;

	tw->region = capture_take_vma(tw->c, vma, object, path, name);
	if (tw->region == MEMOIR_NONE)
		return;
	leave_process(tw, capture_region(tw->c, tw->region)->process);
	if (tw->c->presence.wanted)
		keep_presence(tw->c, tw->region);
	/* Which pages of it are copies only pagemap can tell where struct page could not be read. */
	if (object && vma->anon_root && !(vma->flags & VM_SHARED) && !(vma->bits & WALK_TAGGED)) {
		capture_region(tw->c, tw->region)->by_words = true;
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

static void table_counters(const struct walk_counters *counters, void *arg)
{
	struct table_walk *tw = arg;

	capture_take_counters(tw->c, counters);
}

static void table_names(const struct walk_names *names, void *arg)
{
	struct table_walk *tw = arg;
	int err = tw->region != MEMOIR_NONE ? capture_sent_names(tw->c, tw->region, names) : 0;

	if (err)
		tw->c->error = err;
}

/* Making processes of the tasks takes as long as walking the first dozens. */
static int table_begun(void *arg)
{
	struct table_walk *tw = arg;

	return capture_list_tasks(tw->c, tw->c->walk);
}

static uint32_t begin_names(struct memoir *memoir, const struct walk *walk)
{
	/* Most contexts capture once. */
	if (memoir->names_sent && !memoir->kept_names)
		memoir->kept_names = kept_names_new();
	memoir->names_sent = walk_loaded(walk) == WALK_NAMED_REGIONS;
	return memoir->kept_names ? kept_names_begin(memoir->kept_names) : 0;
}

int capture_by_tables(struct capture *c, struct memoir_error *error)
{
	struct table_walk tw = { .c = c, .region = MEMOIR_NONE, .process = MEMOIR_NONE };
	struct walk_visitor visitor = {
		.vma = table_vma,
		.table = table_entries,
		.huge = table_huge,
	};
	struct walk *walk = capture_open_walk(c, error);
	int err = walk ? walk_calibrate(walk, c->memoir->root) : -EOPNOTSUPP;

	if (err)
		return error && error->code
			       ? err
			       : error_set(error, err,
					   "page tables can't be read on this machine; "
					   "see `memoir check`");
	if (!c->options.wants)
		visitor.begun = table_begun;
	visitor.few_paths = c->options.without_regions;
	if (c->options.without_regions)
		visitor.counters = table_counters;
	c->joins = visitor.counters;
	c->file_by_offset = true;
	c->presence.wanted = capture_wants_names(c) && !c->options.without_pages;
	if (c->presence.wanted) {
		visitor.names = table_names;
		visitor.names_epoch = begin_names(c->memoir, walk);
	}
	/* Of some, who they are says what has to be walked. */
	if (c->options.wants)
		err = capture_list_tasks(c, walk);
	else
		err = capture_find_tasks(c, walk);
	if (!err)
		err = walk_vmas(walk, capture_scope(c, walk), !c->options.without_pages, &visitor,
				&tw);
	leave_process(&tw, MEMOIR_NONE);
	if (c->memoir->kept_names)
		kept_names_end(c->memoir->kept_names, !err && !c->options.wants);
	return err || c->options.without_pages ? err : capture_words_left(c);
}
