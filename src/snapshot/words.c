// SPDX-License-Identifier: MIT
/*
 * Reads the pagemap words of regions, in slices, and has them counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/pagemap.h"
#include "snapshot/capture.h"

/* A slice ends at a huge page's bound, so that none is cut; the kernel holds the lock for one slice. */
static int words_of(struct capture *c, int pagemap_fd, uint32_t region, uint64_t *buffer,
		    uint64_t page, uint64_t end, words_count *count)
{
	while (page < end) {
		uint64_t stop = (page / HUGE_PAGES + WORDS_ROOM / HUGE_PAGES) * HUGE_PAGES;
		size_t want = (size_t)((stop < end ? stop : end) - page);
		ssize_t got = pagemap_read(pagemap_fd, page, buffer, want);

		if (got <= 0)
			return got < 0 ? (int)got : -ESRCH;
		count(c, region, page * PAGE_BYTES, buffer, (size_t)got);
		page += (uint64_t)got;
	}
	return 0;
}

/*
 * Sanitizers and garbage collectors reserve terabytes, and pagemap has a word for every page of them:
 * there the kernel is first asked where anything is. Runs are widened to huge pages' bounds, so that
 * none is cut in two.
 */
static int words_of_runs(struct capture *c, int pagemap_fd, uint32_t region, uint64_t *buffer,
			 words_count *count)
{
	const struct region *r = capture_region(c, region);
	uint64_t at = r->start, done = r->start / PAGE_BYTES, last = r->end / PAGE_BYTES;
	struct pagemap_run runs[64];

	while (at < r->end) {
		uint64_t walked = at;
		ssize_t got = pagemap_scan(pagemap_fd, at, r->end, false, runs, 64, &walked);

		if (got < 0 || walked <= at)
			return got < 0 ? (int)got : -ESRCH;
		for (ssize_t i = 0; i < got; i++) {
			uint64_t from = runs[i].start / PAGE_BYTES / HUGE_PAGES * HUGE_PAGES;
			uint64_t to = (runs[i].end / PAGE_BYTES / HUGE_PAGES + 1) * HUGE_PAGES;
			int err = 0;

			from = from > done ? from : done;
			to = to < last ? to : last;
			if (to > from)
				err = words_of(c, pagemap_fd, region, buffer, from, to, count);
			if (err)
				return err;
			done = to > done ? to : done;
		}
		at = walked;
	}
	return 0;
}

#define SPARSE_BYTES (1ull << 30)

int capture_words_by(struct capture *c, int pagemap_fd, uint32_t region, uint64_t *buffer,
		     words_count *count)
{
	const struct region *r = capture_region(c, region);

	if (r->end - r->start >= SPARSE_BYTES) {
		if (r->empty)
			return 0;
		if (c->scan_works)
			return words_of_runs(c, pagemap_fd, region, buffer, count);
	}
	return words_of(c, pagemap_fd, region, buffer, r->start / PAGE_BYTES, r->end / PAGE_BYTES,
			count);
}

int capture_words(struct capture *c, int pagemap_fd, uint32_t region, uint64_t *buffer)
{
	return capture_words_by(c, pagemap_fd, region, buffer, count_pagemap);
}

int capture_open_pagemap(const struct capture *c, uint32_t process)
{
	const struct process_note *note = &c->notes[process];

	return pagemap_open_thread(c->memoir->root, note->tgid, note->tid);
}

int capture_words_left(struct capture *c)
{
	uint64_t *buffer = NULL;
	int fd = -1;
	uint32_t open_process = MEMOIR_NONE;

	for (uint32_t i = 0; c->words_left && i < c->snap->captured.count; i++) {
		uint32_t process = capture_region(c, i)->process;

		if (!capture_region(c, i)->by_words)
			continue;
		if (!buffer)
			buffer = malloc(WORDS_ROOM * sizeof(*buffer));
		if (!buffer)
			return -ENOMEM;
		if (process != open_process) {
			if (fd >= 0)
				close(fd);
			fd = capture_open_pagemap(c, process);
			open_process = process;
		}
		if (fd >= 0)
			capture_words(c, fd, i, buffer);
	}
	if (fd >= 0)
		close(fd);
	free(buffer);
	return 0;
}
