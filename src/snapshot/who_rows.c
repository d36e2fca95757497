// SPDX-License-Identifier: MIT
/*
 * From the mappers that were found to the answer: rows, how each came to map it, the page's state. Reads
 * nothing but paths and parents.
 */
#include "snapshot/who_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kpage.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"

/* ---- rows ----------------------------------------------------------------------------------- */

static const char *path_of(struct inquiry *q, const struct candidate *c)
{
	char path[4096 + sizeof(" (deleted)")];

	/* As in maps, where a name stands in the path's place. */
	if (c->name && c->has_file)
		return NULL;
	if (c->label || !c->has_file)
		return c->label;
	if (process_mapped_path(q->memoir->root, c->pid, c->start, c->end, path, sizeof(path)) < 0)
		return NULL;
	return who_keep(q, path);
}

static int add_row(struct inquiry *q, const struct candidate *c, enum memoir_how how)
{
	struct memoir_who_row *row = who_add_row(q->answer);

	if (!row)
		return -ENOMEM;
	row->pid = c->pid;
	row->start_ticks = c->start_ticks;
	row->comm = c->comm;
	row->start = c->start;
	row->end = c->end;
	row->address = c->address;
	row->how = (uint8_t)how;
	row->name = c->name;
	row->name_source = c->name ? MEMOIR_NAME_KERNEL : MEMOIR_NAME_NONE;
	row->path = path_of(q, c);
	set_perms(row->perms, c->flags);
	return q->error;
}

static bool is_listed(const struct inquiry *q, const struct candidate *c)
{
	return c->has_it && c->pid != q->memoir->self;
}

static enum memoir_how how_by_file(const struct candidate *c)
{
	return c->flags & VM_MAYSHARE ? MEMOIR_HOW_SHARED : MEMOIR_HOW_PRIVATE;
}

static enum memoir_how how_of(const struct inquiry *q, const struct candidate *c, size_t sharers)
{
	const struct memoir_page *page = &q->answer->pub.page;

	switch (page->content) {
	case MEMOIR_CONTENT_KSM:
		return MEMOIR_HOW_KSM;
	case MEMOIR_CONTENT_KERNEL:
	case MEMOIR_CONTENT_FREE:
	case MEMOIR_CONTENT_UNKNOWN:
		return MEMOIR_HOW_KERNEL;
	default:
		break;
	}
	if (q->ksm_unknown && sharers > 1)
		return MEMOIR_HOW_UNKNOWN;
	if (q->sought == SOUGHT_SWAP || q->facts.flags & KPAGE_ANON)
		return sharers > 1 ? MEMOIR_HOW_FORK : MEMOIR_HOW_OWN;
	return how_by_file(c);
}

/* ---- the page ------------------------------------------------------------------------------- */

static enum memoir_content content_of(uint64_t flags)
{
	if (flags & KPAGE_BUDDY)
		return MEMOIR_CONTENT_FREE;
	if (flags & KPAGE_KSM)
		return MEMOIR_CONTENT_KSM;
	if (flags & KPAGE_HUGE)
		return MEMOIR_CONTENT_HUGETLB;
	if (flags & KPAGE_ANON)
		return MEMOIR_CONTENT_ANON;
	if (flags & (KPAGE_SLAB | KPAGE_PGTABLE | KPAGE_RESERVED | KPAGE_OFFLINE | KPAGE_ZERO))
		return MEMOIR_CONTENT_KERNEL;
	if (flags & KPAGE_SWAPBACKED)
		return MEMOIR_CONTENT_SHMEM;
	if (flags & (KPAGE_LRU | KPAGE_UPTODATE))
		return MEMOIR_CONTENT_FILE;
	return flags & KPAGE_MMAP ? MEMOIR_CONTENT_KERNEL : MEMOIR_CONTENT_UNKNOWN;
}

/* A page written through a shared mapping is known to be dirty only by that page table. */
static void set_dirty(struct inquiry *q, struct memoir_page *page)
{
	bool writable = false;

	for (size_t i = 0; i < q->count; i++)
		writable |= q->list[i].has_it && q->list[i].flags & VM_SHARED;
	page->dirty = q->facts.flags & KPAGE_DIRTY;
	page->dirty_known = page->dirty || (page->content == MEMOIR_CONTENT_FILE && !writable);
}

static void set_frame(struct inquiry *q, uint64_t own, uint64_t others)
{
	struct memoir_page *page = &q->answer->pub.page;
	uint64_t count = q->facts.count;

	page->content = content_of(q->facts.flags);
	page->frame = q->value;
	page->frame_known = true;
	if (q->facts.flags & KPAGE_ZERO) {
		page->state = MEMOIR_PAGE_ZERO;
		return;
	}
	page->huge = q->facts.flags & (KPAGE_HEAD | KPAGE_TAIL | KPAGE_THP | KPAGE_HUGE);
	/* An average is no count: what all page tables have is. */
	page->mappings = page->huge ? others : count > own ? count - own : 0;
	page->mappings_known = true;
	page->state = page->mappings > 1 ? MEMOIR_PAGE_SHARED
		      : page->mappings   ? MEMOIR_PAGE_EXCLUSIVE
					 : MEMOIR_PAGE_UNMAPPED;
	set_dirty(q, page);
}

/* ---- families ------------------------------------------------------------------------------- */

static bool in_family(pid_t pid, void *arg)
{
	const struct inquiry *q = arg;

	for (size_t i = 0; i < q->count; i++)
		if (q->list[i].pid == pid)
			return true;
	return false;
}

static pid_t parent_of(pid_t pid, void *arg)
{
	const struct inquiry *q = arg;
	struct process_stat stat;

	for (size_t i = 0; i < q->count; i++)
		if (q->list[i].pid == pid)
			return q->list[i].ppid;
	return process_stat(q->memoir->root, pid, &stat) == 0 ? stat.ppid : 0;
}

static int set_ancestor(struct inquiry *q)
{
	const struct memoir_who *who = &q->answer->pub;
	pid_t *members = calloc(who->row_count + 1, sizeof(*members));

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < who->row_count; i++)
		members[i] = q->answer->rows[i].pid;
	pid_t ancestor = who_common_ancestor(members, who->row_count, in_family, parent_of, q);

	free(members);
	q->answer->pub.page.ancestor = ancestor;
	for (size_t i = 0; ancestor && i < q->count; i++)
		if (q->list[i].pid == ancestor)
			q->answer->pub.page.ancestor_comm = q->list[i].comm;
	return 0;
}

/* ---- answers -------------------------------------------------------------------------------- */

int who_rows_incomplete(struct inquiry *q)
{
	size_t found = 0;

	for (size_t i = 0; i < q->count; i++)
		found += q->list[i].has_it;
	/* Of large folios the count may be an average. */
	if (q->sought == SOUGHT_SWAP ||
	    q->facts.flags & (KPAGE_HEAD | KPAGE_TAIL | KPAGE_THP | KPAGE_HUGE))
		return 0;
	return who_note(
		q->answer, true,
		"the kernel counts %llu mappings of this page and %zu were found: it changed "
		"meanwhile, or processes that can't be looked at map it",
		(unsigned long long)q->facts.count, found);
}

/* Where all that the kernel counts were found, it does not matter who may not be looked at. */
static int note_denied(struct inquiry *q, size_t found)
{
	if (q->sought == SOUGHT_FRAME && found >= q->facts.count)
		return 0;
	for (size_t i = 0; i < q->count; i++)
		if (q->list[i].denied)
			return who_note(
				q->answer, true,
				"process %d may map it too, but its pages may not be looked at",
				(int)q->list[i].pid);
	return 0;
}

int who_rows_found(struct inquiry *q)
{
	struct memoir_page *page = &q->answer->pub.page;
	size_t sharers = 0, own = 0;
	int err = 0;

	for (size_t i = 0; i < q->count; i++) {
		sharers += is_listed(q, &q->list[i]);
		own += q->list[i].has_it && !is_listed(q, &q->list[i]);
	}
	if (q->sought == SOUGHT_FRAME) {
		set_frame(q, own, sharers);
	} else {
		page->state = MEMOIR_PAGE_SWAPPED;
		page->content = MEMOIR_CONTENT_ANON;
	}
	if (page->state == MEMOIR_PAGE_ZERO)
		return inquiry_is_page(q) ? add_row(q, &q->asked, MEMOIR_HOW_ZERO) : 0;
	for (size_t i = 0; i < q->count && !err; i++)
		if (is_listed(q, &q->list[i]))
			err = add_row(q, &q->list[i], how_of(q, &q->list[i], sharers));
	if (!err)
		err = note_denied(q, sharers + own);
	if (!err && q->answer->pub.row_count > 1 && q->answer->rows[0].how == MEMOIR_HOW_FORK)
		err = set_ancestor(q);
	return err;
}

int who_rows_cached(struct inquiry *q)
{
	int err = who_rows_found(q);

	return err ? err : add_row(q, &q->asked, MEMOIR_HOW_CACHE);
}

int who_rows_absent(struct inquiry *q)
{
	struct memoir_page *page = &q->answer->pub.page;
	bool counted = !(q->asked.flags & (VM_PFNMAP | VM_IO));
	int err = 0;

	page->state = counted ? MEMOIR_PAGE_ABSENT : MEMOIR_PAGE_UNKNOWN;
	if (!counted)
		err = who_note(q->answer, false,
			       "this is memory of a device or the kernel's own, whose pages "
			       "nobody counts");
	if (!q->asked.has_file)
		return err ? err : add_row(q, &q->asked, MEMOIR_HOW_OWN);
	for (size_t i = 0; i < q->count && !err; i++) {
		const struct candidate *c = &q->list[i];

		/* A private copy is another page. */
		if (c->pid != q->memoir->self && !c->denied && !pagemap_present(c->word) &&
		    !pagemap_swapped(c->word))
			err = add_row(q, c, counted ? MEMOIR_HOW_CACHE : how_by_file(c));
	}
	return err;
}
