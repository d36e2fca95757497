// SPDX-License-Identifier: MIT
/*
 * Regions of anonymous memory split into parts, after their pages were counted: each page goes from the
 * region to its part, in the tally too. Knows nothing of tables.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "kernel/pagemap.h"
#include "snapshot/parts.h"

#define RUNS 64
#define EXPECTED_MAX (1u << 18) /* one large table says nothing of others */

/* ---- pages ---------------------------------------------------------------------------------- */

static void recount_word(struct capture *c, uint32_t part, uint64_t word)
{
	struct name_parts *parts = c->parts;
	struct region_count *count = &c->counts[part];
	uint64_t key = pagemap_frame(word);

	if (pagemap_present(word)) {
		if (word & PAGEMAP_BIT_FILE || key == c->zero_frame)
			return;
		if (tally_move(&c->tally, TALLY_FRAME | key, parts->region, part, &parts->moved)) {
			count->rss++;
			count->anon++;
		} else {
			count_alone(count, 1, true);
		}
	} else if (pagemap_swapped(word)) {
		count->swap++;
		if (!tally_move(&c->tally, TALLY_SWAP | key, parts->region, part, &parts->moved))
			count->swap_alone++;
	} else if (pagemap_migrating(word)) {
		count_alone(count, 1, true);
	}
}

/* Addresses come in order. */
static uint32_t part_at(const struct capture *c, uint64_t addr)
{
	struct name_parts *parts = c->parts;

	if (parts->part == parts->region && addr >= parts->first_end)
		parts->part = parts->next_part;
	while (parts->part != parts->region && addr >= c->snap->regions[parts->part].end)
		parts->part++;
	return parts->part;
}

static uint64_t part_end(const struct capture *c, uint32_t part)
{
	return part == c->parts->region ? c->parts->first_end : c->snap->regions[part].end;
}

/* Words of the whole region, each to its part. */
static void recount(struct capture *c, uint32_t region, uint64_t addr, const uint64_t *words,
		    size_t n)
{
	(void)region;
	for (size_t i = 0; i < n; i++)
		if (words[i])
			recount_word(c, part_at(c, addr + i * PAGE_BYTES), words[i]);
}

static void count_thp_run(struct capture *c, const struct pagemap_run *run)
{
	for (uint64_t at = run->start; at < run->end;) {
		uint32_t part = part_at(c, at);
		uint64_t end = part_end(c, part);

		end = end < run->end ? end : run->end;
		c->counts[part].thp += (end - at) / PAGE_BYTES;
		at = end;
	}
}

/* Words don't say which pages one entry maps as a whole. */
static int count_thp(struct capture *c)
{
	const uint64_t wanted = PAGEMAP_RUN_HUGE | PAGEMAP_RUN_PRESENT;
	const struct memoir_region *region = &c->snap->regions[c->parts->region];
	struct pagemap_run runs[RUNS];
	uint64_t at = region->start;

	while (at < region->end) {
		uint64_t walked = at;
		ssize_t got = pagemap_scan(c->parts->pagemap_fd, at, region->end, false, runs, RUNS,
					   &walked);

		if (got < 0 || walked <= at)
			return -EOPNOTSUPP;
		for (ssize_t i = 0; i < got; i++)
			if ((runs[i].categories & (wanted | PAGEMAP_RUN_ZERO)) == wanted)
				count_thp_run(c, &runs[i]);
		at = walked;
	}
	return 0;
}

static int open_pages(struct capture *c, uint32_t process)
{
	struct name_parts *parts = c->parts;

	if (parts->pagemap_fd >= 0 && parts->process == process)
		return 0;
	if (parts->pagemap_fd >= 0)
		close(parts->pagemap_fd);
	parts->pagemap_fd = pagemap_open_thread(c->memoir->root, c->snap->processes[process].pid,
						(pid_t)c->notes[process].tid);
	parts->process = process;
	return parts->pagemap_fd < 0 ? parts->pagemap_fd : 0;
}

/* Whether the walk kept which of the region's pages there are, and they are all that it has. */
static bool goes_by_presence(const struct capture *c, const struct region_count *whole)
{
	return whole->by_presence && !c->presence.error && whole->rss == whole->alone &&
	       !whole->swap && !whole->thp && !whole->smaps_thp;
}

static bool count_present(struct capture *c, uint32_t part, uint64_t start, uint64_t end)
{
	uint64_t pages;

	if (!presence_count(&c->presence, c->snap->regions[part].process, start, end, &pages))
		return false;
	count_alone(&c->counts[part], pages, true);
	return true;
}

/* False where the process turned out to have no table of its own: then it was not kept. */
static bool count_by_presence(struct capture *c)
{
	struct name_parts *parts = c->parts;
	bool known = goes_by_presence(c, &parts->whole) &&
		     count_present(c, parts->region, c->snap->regions[parts->region].start,
				   parts->first_end);

	for (size_t i = parts->next_part; known && i < c->snap->region_count; i++)
		known = count_present(c, (uint32_t)i, c->snap->regions[i].start,
				      c->snap->regions[i].end);
	return known;
}

/* Count the region's pages by part, while it is still there as a whole; says why that is not exact. */
static const char *count_parts(struct capture *c)
{
	struct name_parts *parts = c->parts;

	if (count_by_presence(c))
		return NULL;
	if (open_pages(c, c->snap->regions[parts->region].process) < 0)
		return "its pages could not be read again when names split them";
	u64map_free(&parts->moved);
	if (parts->whole.rss || parts->whole.swap) {
		parts->part = parts->region;
		if (capture_words_by(c, parts->pagemap_fd, parts->region, parts->words, recount) <
		    0)
			return "its pages were gone before names could split them";
	}
	if (parts->whole.thp || parts->whole.smaps_thp) {
		parts->part = parts->region;
		if (count_thp(c) < 0)
			return "huge pages can't be told by part: this needs PAGEMAP_SCAN "
			       "(Linux 6.7)";
	}
	return NULL;
}

/* ---- parts ---------------------------------------------------------------------------------- */

static int begin(struct capture *c, uint32_t region, size_t pieces)
{
	size_t expected;

	if (!c->parts) {
		c->parts = calloc(1, sizeof(*c->parts));
		if (!c->parts)
			return -ENOMEM;
		c->parts->pagemap_fd = -1;
		c->parts->first = (uint32_t)c->snap->region_count;
		/* For others like it; growing step by step would touch the memory twice. */
		expected = pieces * (c->presence.process_count + 1);
		if (capture_reserve_regions(c, expected < EXPECTED_MAX ? expected : 0) < 0)
			return -ENOMEM;
		c->parts->words = malloc(WORDS_ROOM * sizeof(*c->parts->words));
		if (!c->parts->words)
			return -ENOMEM;
	}
	c->parts->region = region;
	c->parts->whole = c->counts[region];
	return goes_by_presence(c, &c->counts[region])
		       ? 0
		       : open_pages(c, c->snap->regions[region].process);
}

/* Counted as the region was: nothing yet. */
static struct region_count empty_like(const struct region_count *whole)
{
	return (struct region_count){
		.flags = whole->flags,
		.seq = whole->seq,
		.bits = whole->bits,
		.has_anon = whole->has_anon,
		.empty = whole->empty,
	};
}

static int add_part(struct capture *c, const struct memoir_region *like)
{
	struct name_parts *parts = c->parts;
	size_t i = c->snap->region_count;
	struct part *more = grow(parts->parts, &parts->room, parts->count + 1, sizeof(*more));
	struct memoir_region *region = NULL;

	if (more)
		parts->parts = more;
	/* There may be far more than were made room for. */
	if (more && (i < c->count_room || capture_reserve_regions(c, i / 2 + 1) == 0))
		region = snapshot_add_region(c->snap);
	if (!region)
		return -ENOMEM;
	more[parts->count++] = (struct part){ parts->region, (uint32_t)i };
	*region = *like;
	c->counts[i] = empty_like(&parts->whole);
	return 0;
}

/* How many pieces begin before the page ends. */
static size_t pieces_of_page(const struct named_range *pieces, size_t count, uint64_t page_end)
{
	size_t n = 0;

	while (n < count && pieces[n].start < page_end)
		n++;
	return n;
}

/* The next part of the region from `like->end` on; returns how many pieces end with it, or -ENOMEM. */
static ssize_t next_part(struct capture *c, struct memoir_region *like, uint32_t at,
			 const struct named_range *pieces, size_t count,
			 enum memoir_name_source source)
{
	uint64_t whole_end = pieces[0].end & ~(PAGE_BYTES - 1);
	size_t n = 1;
	int err = 0;

	like->start = like->end;
	if (whole_end > like->start) {
		like->end = whole_end;
		like->name = pieces[0].name;
	} else {
		like->end = like->start + PAGE_BYTES;
		n = pieces_of_page(pieces, count, like->end);
		err = parts_add_mixed(c, at, like, pieces, n, source);
	}
	return err ? err : (ssize_t)(n - (pieces[n - 1].end > like->end));
}

static void mark_inexact(struct capture *c, uint32_t from, uint32_t to, const char *why)
{
	for (uint32_t i = from; i < to; i++) {
		c->snap->regions[i].exact = false;
		c->snap->regions[i].inexact_why = why;
	}
}

static int add_parts(struct capture *c, struct memoir_region *ret_first,
		     const struct named_range *pieces, size_t count, enum memoir_name_source source)
{
	struct memoir_region like = c->snap->regions[c->parts->region];
	uint64_t end = like.end;
	bool first = true;
	int err = 0;

	for (like.end = like.start; like.end < end && !err; first = false) {
		uint32_t at = first ? c->parts->region : (uint32_t)c->snap->region_count;
		ssize_t done = next_part(c, &like, at, pieces, count, source);

		if (done < 0)
			return (int)done;
		pieces += done;
		count -= (size_t)done;
		like.name_source = like.name ? source : MEMOIR_NAME_NONE;
		if (first)
			*ret_first = like;
		else
			err = add_part(c, &like);
	}
	return err;
}

int capture_split(struct capture *c, uint32_t region, const struct named_range *pieces,
		  size_t count, enum memoir_name_source source)
{
	struct memoir_region first = c->snap->regions[region];
	int err = begin(c, region, count);
	const char *why;

	if (err)
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	c->parts->next_part = (uint32_t)c->snap->region_count;
	err = add_parts(c, &first, pieces, count, source);
	if (err)
		return err;
	c->parts->first_end = first.end;
	c->counts[region] = empty_like(&c->parts->whole);
	why = count_parts(c);
	c->snap->regions[region] = first;
	if (why) {
		mark_inexact(c, region, region + 1, why);
		mark_inexact(c, c->parts->next_part, (uint32_t)c->snap->region_count, why);
	}
	return c->tally.error;
}

void capture_parts_free(struct capture *c)
{
	if (!c->parts)
		return;
	if (c->parts->pagemap_fd >= 0)
		close(c->parts->pagemap_fd);
	u64map_free(&c->parts->moved);
	free(c->parts->words);
	free(c->parts->parts);
	free(c->parts->mixed);
	free(c->parts->pieces);
	u64map_free(&c->parts->mixed_at);
	free(c->parts);
	c->parts = NULL;
}
