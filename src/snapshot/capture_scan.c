// SPDX-License-Identifier: MIT
/*
 * The method for kernels whose page tables are out of reach: lists by BPF, pages by PAGEMAP_SCAN.
 *
 * Where the kernel's own anon_vma proves a region to be in no other process, and where a file's pages
 * are known by their offset, runs of present pages are enough: no frames, no struct page. The rest,
 * and every region whose proof fell with its address-space cookie, goes by pagemap words.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/pagemap.h"
#include "snapshot/capture.h"

#define RUNS 512

struct scratch {
	struct pagemap_run runs[RUNS];
	uint64_t words[WORDS_ROOM];
};

struct scan {
	struct capture *c;
	int fd;
	uint32_t region;
	struct scratch *scratch;
};

static uint64_t run_pages(const struct pagemap_run *run)
{
	return (run->end - run->start) / PAGE_BYTES;
}

/* A swapped run may hold markers as well: only its words tell. */
static int count_swapped_run(struct scan *s, const struct pagemap_run *run)
{
	for (uint64_t at = run->start; at < run->end;) {
		size_t want = (size_t)((run->end - at) / PAGE_BYTES);
		ssize_t got = pagemap_read(s->fd, at / PAGE_BYTES, s->scratch->words,
					   want < WORDS_ROOM ? want : WORDS_ROOM);

		if (got <= 0)
			return got < 0 ? (int)got : -ESRCH;
		count_pagemap(s->c, s->region, at, s->scratch->words, (size_t)got);
		at += (uint64_t)got * PAGE_BYTES;
	}
	return 0;
}

/* Runs of a region of a file: the pages' keys are their offsets in the object. */
static void count_run(struct scan *s, const struct pagemap_run *run)
{
	const struct region *region = capture_region(s->c, s->region);

	count_offsets(s->c, s->region, capture_offset_key(region, run->start), run_pages(run));
}

static void count_present_run(struct scan *s, const struct pagemap_run *run, bool anon)
{
	struct region *region = capture_region(s->c, s->region);

	if (run->categories & PAGEMAP_RUN_HUGE)
		region_add(&region->thp, run_pages(run));
	if (anon || region->sole) {
		count_alone(region, run_pages(run), anon);
		return;
	}
	region_add(&region->rss, run_pages(run));
	pthread_mutex_lock(&s->c->lock);
	count_run(s, run);
	pthread_mutex_unlock(&s->c->lock);
}

static int scan_region(struct scan *s, bool anon)
{
	uint64_t at = capture_region(s->c, s->region)->start,
		 end = capture_region(s->c, s->region)->end;

	while (at < end) {
		uint64_t walked = at;
		ssize_t got = pagemap_scan(s->fd, at, end, false, s->scratch->runs, RUNS, &walked);

		if (got < 0)
			return (int)got;
		for (ssize_t i = 0; i < got; i++) {
			const struct pagemap_run *run = &s->scratch->runs[i];
			int err = 0;

			if (run->categories & PAGEMAP_RUN_PRESENT)
				count_present_run(s, run, anon);
			else
				err = count_swapped_run(s, run);
			if (err)
				return err;
		}
		if (walked <= at)
			return -ESRCH;
		at = walked;
	}
	return 0;
}

/* Words don't say which pages are PMD-mapped, runs do. */
static void scan_huge(struct scan *s)
{
	struct region *region = capture_region(s->c, s->region);
	uint64_t at = capture_region(s->c, s->region)->start,
		 end = capture_region(s->c, s->region)->end;

	region->thp = 0;
	while (at < end) {
		uint64_t walked = at;
		ssize_t got = pagemap_scan(s->fd, at, end, false, s->scratch->runs, RUNS, &walked);

		if (got < 0 || walked <= at)
			return;
		for (ssize_t i = 0; i < got; i++)
			if ((s->scratch->runs[i].categories &
			     (PAGEMAP_RUN_HUGE | PAGEMAP_RUN_PRESENT)) ==
			    (PAGEMAP_RUN_HUGE | PAGEMAP_RUN_PRESENT))
				region_add(&region->thp, run_pages(&s->scratch->runs[i]));
		at = walked;
	}
	region->smaps_thp = false;
}

static int read_words(struct scan *s)
{
	int err = capture_words(s->c, s->fd, s->region, s->scratch->words);

	if (!err && capture_region(s->c, s->region)->smaps_thp)
		scan_huge(s);
	return err;
}

static bool proven_alone(const struct capture *c, const struct region *region)
{
	/* Only a seqcount shows a fork that is under way. */
	return !c->by_folio && !region->has_mapping && region->has_anon &&
	       region_anon_alone(region) && !(region->flags & VM_HUGETLB) &&
	       !region->was_changing && walk_seq_kind(c->walk) == 2;
}

static bool keyed_by_offset(const struct region *region)
{
	return region->by_offset && (!region->has_anon || region->flags & VM_SHARED);
}

static int scan_one(struct scan *s)
{
	struct region *region = capture_region(s->c, s->region);

	/* Never written to: nothing that smaps would count. */
	if (!region->has_anon && !region->has_mapping && !region->path)
		return 0;
	if (proven_alone(s->c, region)) {
		region->by_proof = true;
		return scan_region(s, true);
	}
	return keyed_by_offset(region) ? scan_region(s, false) : read_words(s);
}

static int scan_process(struct capture *c, uint32_t process, void *scratch)
{
	const struct memoir_process *p = &c->snap->processes[process];
	struct scan s = { .c = c, .scratch = scratch };
	int err = 0;

	if (!p->readable || !p->region_count)
		return 0;
	s.fd = capture_open_pagemap(c, process);
	for (uint32_t i = 0; s.fd >= 0 && i < p->region_count && !err; i++) {
		s.region = p->first_region + i;
		err = scan_one(&s);
	}
	if (s.fd >= 0)
		close(s.fd);
	if (s.fd < 0 || err)
		capture_lost(c, process);
	return 0;
}

/* ---- the cookie, read again ----------------------------------------------------------------- */

static void compare_cookie(const struct walk_task *task, void *arg)
{
	struct capture *c = arg;
	uint32_t i = u64map_get(&c->process_by_mm, task->mm);

	if (i != U64MAP_NONE && task->seq == c->notes[i].seq)
		c->notes[i].cookie_stands = true;
}

/* Regions proven alone in an address space that changed since: their pages are looked at one by one. */
static void drop_proofs(struct capture *c)
{
	for (uint32_t i = 0; i < c->snap->captured.count; i++) {
		struct region *region = capture_region(c, i);

		if (!region->by_proof || c->notes[region->process].cookie_stands)
			continue;
		region->rss = region->anon = region->alone = region->alone_anon = region->swap =
			region->swap_alone = region->thp = 0;
		region->anon_alone = false;
		region->by_words = true;
		c->words_left = true;
	}
}

static void list_vma(const struct walk_vma *vma, const struct walk_object *object, const char *path,
		     const char *name, void *arg)
{
	struct capture *c = arg;
	uint32_t region = capture_take_vma(c, vma, object, path, name);

	/* The cookie that the proof hangs on is the one of this moment. */
	if (region != MEMOIR_NONE)
		c->notes[capture_region(c, region)->process].seq = vma->seq;
}

int capture_by_scan(struct capture *c, struct memoir_error *error)
{
	struct walk_visitor visitor = { .vma = list_vma };
	struct walk *walk = capture_open_walk(c, error);
	int err = walk ? pagemap_scan_probe(c->memoir->root) : -EOPNOTSUPP;

	if (err)
		return error && error->code ? err
					    : error_set(error, err,
							"this kernel has no PAGEMAP_SCAN (it came "
							"with Linux 6.7)");
	c->file_by_offset = true;
	c->scan_works = true;
	err = capture_list_tasks(c, walk);
	if (!err)
		err = walk_vmas(walk, capture_scope(c, walk), false, &visitor, c);
	if (err || c->options.without_pages)
		return err;
	err = capture_parallel(c, scan_process, sizeof(struct scratch));
	if (!err)
		err = walk_tasks(walk, compare_cookie, c);
	if (err)
		return err;
	drop_proofs(c);
	return capture_words_left(c);
}
