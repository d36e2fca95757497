// SPDX-License-Identifier: MIT
/*
 * The search of all page tables for one frame or swap entry, where the reverse map does not tell: by BPF
 * that copies them, else by pagemap (who_text.c). What it finds is verified like anything else.
 */
#include "snapshot/who_live.h"

#include <errno.h>
#include <stdlib.h>

#include "base/grow.h"
#include "kernel/pte.h"

struct hit {
	pid_t pid;
	uint64_t address;
};

struct table_search {
	const struct inquiry *q;
	struct u64map thread_by_mm; /* with which an address space was seen first */
	bool passed_over;           /* the VMA whose tables come now */
	pid_t pid;
	struct hit *hits;
	size_t count, room;
	int error;
};

/* Threads and processes that share an address space are visited one after the other. */
static bool is_first_of_mm(struct table_search *s, const struct walk_vma *vma)
{
	uint32_t first = u64map_get(&s->thread_by_mm, vma->mm);

	if (first != U64MAP_NONE)
		return first == vma->tid;
	if (u64map_set(&s->thread_by_mm, vma->mm, vma->tid) < 0)
		s->error = -ENOMEM;
	return true;
}

static void search_vma(const struct walk_vma *vma, const struct walk_object *object,
		       const char *path, const char *name, void *arg)
{
	struct table_search *s = arg;

	(void)object;
	(void)path;
	(void)name;
	s->pid = (pid_t)vma->tgid;
	s->passed_over = !is_first_of_mm(s, vma);
	/* Only such memory is ever merged; by fork or mremap it stays so. */
	if (s->q->sought == SOUGHT_FRAME && s->q->facts.flags & KPAGE_KSM)
		s->passed_over |= !(vma->flags & VM_MERGEABLE);
}

static void add_hit(struct table_search *s, uint64_t address)
{
	struct hit *hits = grow(s->hits, &s->room, s->count + 1, sizeof(*hits));

	if (!hits) {
		s->error = -ENOMEM;
		return;
	}
	s->hits = hits;
	hits[s->count++] = (struct hit){ s->pid, address };
}

static void search_frame(struct table_search *s, uint64_t addr, const uint64_t *entries,
			 size_t count)
{
	uint64_t frame = s->q->value;

	for (size_t i = 0; i < count; i++)
		if (pte_frame(entries[i]) == frame && pte_present(entries[i]))
			add_hit(s, addr + i * PAGE_BYTES);
}

/* Pagemap has the type of a swap entry in its five lowest bits, and the offset above. */
static void search_swap(struct table_search *s, uint64_t addr, const uint64_t *entries,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pte_swapped(entries[i]) &&
		    (pte_swap_type(entries[i]) | pte_swap_offset(entries[i]) << 5) == s->q->value)
			add_hit(s, addr + i * PAGE_BYTES);
}

static void search_table(uint64_t addr, const uint64_t *entries, size_t count, void *arg)
{
	struct table_search *s = arg;

	if (s->passed_over)
		return;
	if (s->q->sought == SOUGHT_FRAME)
		search_frame(s, addr, entries, count);
	else
		search_swap(s, addr, entries, count);
}

static void search_huge(uint64_t addr, uint64_t entry, uint64_t span_bytes, void *arg)
{
	struct table_search *s = arg;
	uint64_t first = pte_frame(entry) & ~(span_bytes / PAGE_BYTES - 1);

	if (s->passed_over || s->q->sought != SOUGHT_FRAME || !pte_present(entry) ||
	    s->q->value < first || s->q->value - first >= span_bytes / PAGE_BYTES)
		return;
	add_hit(s, addr / span_bytes * span_bytes + (s->q->value - first) * PAGE_BYTES);
}

/* The region around each hit, asked for anew: the walk does not tell all that a row says. */
static int take_hits(struct inquiry *q, const struct table_search *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct candidate *c;
		struct inquiry one = {
			.memoir = q->memoir,
			.answer = q->answer,
			.mappers = q->mappers,
			.pid = s->hits[i].pid,
			.address = s->hits[i].address,
		};

		/* It may have unmapped it meanwhile. */
		if (who_locate(&one, NULL) < 0)
			continue;
		c = who_add_candidate(q);
		if (!c)
			return q->error;
		*c = one.asked;
	}
	return 0;
}

static int scan_tables(struct inquiry *q, struct walk *walk)
{
	struct walk_visitor visitor = {
		.vma = search_vma,
		.table = search_table,
		.huge = search_huge,
		.few_paths = true,
	};
	struct table_search s = { .q = q };
	/* What a capture has listed is not of this moment. */
	int err = walk_tasks(walk, NULL, NULL);

	if (!err)
		err = walk_vmas(walk, WALK_ALL, true, &visitor, &s);
	if (!err)
		err = s.error ? s.error : take_hits(q, &s);
	u64map_free(&s.thread_by_mm);
	free(s.hits);
	return err;
}

int who_scan(struct inquiry *q)
{
	struct walk *walk = NULL;

	q->count = 0;
	q->incomplete = false;
	q->answer->pub.searched = true;
	if (q->mappers && q->memoir->engine != MEMOIR_ENGINE_SCAN)
		walk = memoir_walk(q->memoir, NULL);
	if (walk && walk_calibrate(walk, q->memoir->root) == 0)
		return scan_tables(q, walk);
	return who_scan_text(q);
}
