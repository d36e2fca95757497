// SPDX-License-Identifier: MIT
/*
 * What of a part of a region a hint can move: its pages are looked at. Where a limit ends it, it is found
 * to the page.
 */
#include <errno.h>
#include <unistd.h>

#include "hints/plan.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"

#define CUT_WORDS 1024

/* Identity is checked behind it: the pagemap is that of the process which was captured. */
static int open_pagemap(struct planning *p)
{
	struct process_stat stat;

	if (p->pagemap_tried)
		return p->pagemap_fd < 0 ? p->pagemap_fd : 0;
	p->pagemap_tried = true;
	p->pagemap_fd = pagemap_open(p->memoir->root, p->process->pid);
	if (p->pagemap_fd < 0)
		return p->pagemap_fd;
	int err = process_stat(p->memoir->root, p->process->pid, &stat);

	if (!err && !process_is_same(&stat, p->process->start_ticks, p->process->stack_start))
		err = -ESRCH;
	if (err) {
		close(p->pagemap_fd);
		p->pagemap_fd = err;
	}
	return err;
}

static bool is_wanted(const struct planning *p, uint64_t word)
{
	if (p->options.hint == MEMOIR_HINT_WILLNEED)
		return pagemap_swapped(word);
	return pagemap_present(word) && (!p->tells_sole || (word & PAGEMAP_BIT_EXCLUSIVE));
}

struct cut {
	struct movable movable;
	uint64_t resident_bytes, budget, end;
};

static bool take_words(const struct planning *p, const uint64_t *words, ssize_t count,
		       struct cut *cut)
{
	for (ssize_t i = 0; i < count; i++) {
		cut->resident_bytes += pagemap_present(words[i]) ? PAGE_BYTES : 0;
		if (is_wanted(p, words[i])) {
			bool object = pagemap_present(words[i]) && (words[i] & PAGEMAP_BIT_FILE);

			*(object ? &cut->movable.object_bytes : &cut->movable.anon_bytes) +=
				PAGE_BYTES;
		}
		cut->end += PAGE_BYTES;
		if (cut->movable.anon_bytes + cut->movable.object_bytes >= cut->budget)
			return false;
	}
	return true;
}

int cut_count(struct planning *p, uint32_t region, uint64_t start, uint64_t end, uint64_t budget,
	      struct movable *ret_movable, uint64_t *ret_resident, uint64_t *ret_end)
{
	struct movable whole;
	struct cut cut = { .budget = budget, .end = start };
	uint64_t words[CUT_WORDS];
	int err = open_pagemap(p);

	movable_of(p, region, &whole);
	p->tells_sole = whole.anon_bytes + whole.object_bytes <
			snapshot_regions(p->snap)[region].figures.bytes[MEMOIR_RSS];
	while (!err && cut.end < end) {
		size_t want = (size_t)least(CUT_WORDS, (end - cut.end) / PAGE_BYTES);
		ssize_t got = pagemap_read(p->pagemap_fd, cut.end / PAGE_BYTES, words, want);

		if (got <= 0)
			err = got < 0 ? (int)got : -ESRCH;
		else if (!take_words(p, words, got, &cut))
			break;
	}
	if (err)
		return err;
	*ret_movable = cut.movable;
	ret_movable->object_to_swap = whole.object_to_swap;
	*ret_resident = cut.resident_bytes;
	*ret_end = cut.end;
	return 0;
}
