// SPDX-License-Identifier: MIT
/*
 * Finds in page tables which pages a hint is to be given for: by PAGEMAP_SCAN, else by the words of pagemap,
 * so that address space with nothing in it costs no calls. Gives no hints.
 */
#include "hints/slice.h"

#include <errno.h>

#include "kernel/pagemap.h"

#define RUNS 256
#define WORDS 2048
#define HUGE_BYTES (PAGE_BYTES * HUGE_PAGES)
#define EMPTY_BYTES (1ull << 30)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t huge_up(uint64_t addr)
{
	return (addr + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
}

static uint64_t range_end(const struct iovec *range)
{
	return (uint64_t)(uintptr_t)range->iov_base + range->iov_len;
}

/* Append; what follows on what is there already makes it longer. Whether there was room. */
static bool add(struct slice *slice, uint64_t start, uint64_t end)
{
	struct iovec *last = slice->count ? &slice->ranges[slice->count - 1] : NULL;

	if (last && range_end(last) == start) {
		last->iov_len += end - start;
	} else {
		if (slice->count == HINT_RANGES_MAX)
			return false;
		slice->ranges[slice->count++] = hint_range(start, end);
	}
	slice->bytes += end - start;
	return true;
}

/* Up to the room that is left; where pages are huge, to the end of one. Whether there is more room. */
static bool take(struct slice *slice, uint64_t start, uint64_t end, bool huge, uint64_t bytes,
		 uint64_t *at)
{
	uint64_t cut = least(end, start + (bytes - slice->bytes));

	if (huge)
		cut = least(end, huge_up(cut));
	if (!add(slice, start, cut))
		return false;
	*at = cut;
	return slice->bytes < bytes && cut == end;
}

static bool is_wanted(enum memoir_hint hint, bool present, bool swapped)
{
	return hint == MEMOIR_HINT_WILLNEED ? swapped : present;
}

/* ---- by PAGEMAP_SCAN ------------------------------------------------------------------------- */

static int fill_by_scan(struct slice *slice, const struct target *target, enum memoir_hint hint,
			uint64_t *at, uint64_t end, uint64_t bytes)
{
	struct pagemap_run runs[RUNS];
	uint64_t looked = 0;
	bool room = true;

	while (room && *at < end && looked < SLICE_LOOK_BYTES) {
		/* Not much more than there is room for: what is behind it is scanned again for the next. */
		uint64_t more = least(huge_up(2 * (bytes - slice->bytes)), SLICE_LOOK_BYTES);
		uint64_t window = least(end, *at + more), walked;
		ssize_t got =
			pagemap_scan(target->pagemap_fd, *at, window, false, runs, RUNS, &walked);

		if (got < 0)
			return (int)got;
		/* Nothing there: on in larger steps. */
		if (got == 0 && window < end)
			got = pagemap_scan(target->pagemap_fd, *at, least(end, *at + EMPTY_BYTES),
					   false, runs, 1, &walked);
		else
			looked += more;
		if (got < 0)
			return (int)got;
		for (ssize_t i = 0; i < got && room; i++) {
			uint64_t categories = runs[i].categories;

			if (is_wanted(hint, categories & PAGEMAP_RUN_PRESENT,
				      categories & PAGEMAP_RUN_SWAPPED))
				room = take(slice, runs[i].start, runs[i].end,
					    categories & PAGEMAP_RUN_HUGE, bytes, at);
		}
		if (room)
			*at = walked;
	}
	return 0;
}

/* ---- by words -------------------------------------------------------------------------------- */

static int fill_by_words(struct slice *slice, const struct target *target, enum memoir_hint hint,
			 uint64_t *at, uint64_t end, uint64_t bytes)
{
	uint64_t words[WORDS];
	bool room = true;

	while (room && *at < end) {
		size_t want = (size_t)least(WORDS, (end - *at) / PAGE_BYTES);
		ssize_t got = pagemap_read(target->pagemap_fd, *at / PAGE_BYTES, words, want);
		uint64_t start = *at;

		if (got <= 0)
			return got < 0 ? (int)got : -ESRCH;
		for (ssize_t i = 0; i < got && room; i++) {
			uint64_t page = start + (uint64_t)i * PAGE_BYTES;

			if (is_wanted(hint, pagemap_present(words[i]), pagemap_swapped(words[i])))
				room = take(slice, page, page + PAGE_BYTES, false, bytes, at);
			else
				*at = page + PAGE_BYTES;
		}
	}
	return 0;
}

/* ---- by addresses ---------------------------------------------------------------------------- */

/* What no page table tells: what of a file is to be read, and huge pages to be. */
static void fill_by_addresses(struct slice *slice, uint64_t *at, uint64_t end, uint64_t bytes)
{
	(void)take(slice, *at, end, true, bytes, at);
}

int slice_fill(struct slice *slice, const struct target *target, enum memoir_hint hint,
	       const struct memoir_plan_range *range, uint64_t *at, uint64_t bytes)
{
	int err;

	slice->count = 0;
	slice->bytes = 0;
	if (*at >= range->end)
		return 0;
	if (hint == MEMOIR_HINT_COLLAPSE || (hint == MEMOIR_HINT_WILLNEED && range->inode) ||
	    target->pagemap_fd < 0) {
		fill_by_addresses(slice, at, range->end, bytes);
		return 0;
	}
	err = fill_by_scan(slice, target, hint, at, range->end, bytes);
	if (err == -ENOTTY || err == -EINVAL)
		err = fill_by_words(slice, target, hint, at, range->end, bytes);
	return err;
}
