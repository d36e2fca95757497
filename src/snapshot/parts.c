// SPDX-License-Identifier: MIT
/*
 * Regions of anonymous memory split into parts, after their pages were counted: the pages are looked at
 * once more, and each goes from the region to its part, in the tally too. Knows nothing of tables.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "kernel/pagemap.h"
#include "names/reader.h"
#include "snapshot/capture.h"

#define RUNS 64

struct part {
	uint32_t of; /* the region that was split */
	uint32_t at; /* its own index until the end, behind those of all regions */
};

struct name_parts {
	uint32_t first; /* index of the first part; the first of each region has that region's */
	struct part *parts;
	size_t count, room;
	uint32_t region;    /* that is being split */
	uint64_t first_end; /* of its first part, which has its index */
	uint32_t next_part; /* the others */
	uint32_t part;      /* that is being counted */
	struct u64map moved;
	struct region_count whole; /* what it counted before */
	uint64_t *words;
	int pagemap_fd;
	uint32_t process; /* of the fd */
};

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

/* Count the region's pages by part, while it is still there as a whole; says why that is not exact. */
static const char *count_parts(struct capture *c)
{
	struct name_parts *parts = c->parts;

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

static int begin(struct capture *c, uint32_t region)
{
	if (!c->parts) {
		c->parts = calloc(1, sizeof(*c->parts));
		if (!c->parts)
			return -ENOMEM;
		c->parts->pagemap_fd = -1;
		c->parts->first = (uint32_t)c->snap->region_count;
		c->parts->words = malloc(WORDS_ROOM * sizeof(*c->parts->words));
		if (!c->parts->words)
			return -ENOMEM;
	}
	c->parts->region = region;
	c->parts->whole = c->counts[region];
	return open_pages(c, c->snap->regions[region].process);
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
	struct region_count *counts = grow(c->counts, &c->count_room, i + 1, sizeof(*counts));
	struct memoir_region *region = counts && more ? snapshot_add_region(c->snap) : NULL;

	if (more)
		parts->parts = more;
	if (counts)
		c->counts = counts;
	if (!region)
		return -ENOMEM;
	more[parts->count++] = (struct part){ parts->region, (uint32_t)i };
	*region = *like;
	counts[i] = empty_like(&parts->whole);
	return 0;
}

static void mark_inexact(struct capture *c, uint32_t from, uint32_t to, const char *why)
{
	for (uint32_t i = from; i < to; i++) {
		c->snap->regions[i].exact = false;
		c->snap->regions[i].inexact_why = why;
	}
}

int capture_split(struct capture *c, uint32_t region, const struct named_range *pieces,
		  size_t count, enum memoir_name_source source)
{
	struct memoir_region like = c->snap->regions[region], first = like;
	int err = begin(c, region);
	const char *why;

	if (err)
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	c->parts->first_end = pieces[0].end;
	c->parts->next_part = (uint32_t)c->snap->region_count;
	for (size_t i = 0; i < count && !err; i++) {
		like.start = pieces[i].start;
		like.end = pieces[i].end;
		like.name = pieces[i].name;
		like.name_source = like.name ? source : MEMOIR_NAME_NONE;
		if (i == 0)
			first = like;
		else
			err = add_part(c, &like);
	}
	if (err)
		return err;
	c->counts[region] = empty_like(&c->parts->whole);
	why = count_parts(c);
	c->snap->regions[region] = first;
	if (why) {
		mark_inexact(c, region, region + 1, why);
		mark_inexact(c, c->parts->next_part, (uint32_t)c->snap->region_count, why);
	}
	return c->tally.error;
}

/* ---- whole regions -------------------------------------------------------------------------- */

void capture_join_parts(struct capture *c)
{
	struct memoir_region *regions = c->snap->regions;

	for (size_t i = 0; c->parts && i < c->parts->count; i++)
		regions[c->parts->parts[i].of].end = regions[c->parts->parts[i].at].end;
}

/* Parts of a region stand one after the other, in order: from the last to the first. */
void capture_part_again(struct capture *c)
{
	struct memoir_region *regions = c->snap->regions;

	for (size_t i = c->parts ? c->parts->count : 0; i-- > 0;) {
		struct memoir_region *whole = &regions[c->parts->parts[i].of];
		struct memoir_region *part = &regions[c->parts->parts[i].at];

		whole->end = part->start;
		if (part->kind == MEMOIR_KIND_ANON && whole->kind != MEMOIR_KIND_GUARD)
			part->kind = whole->kind;
	}
}

/* ---- where they belong ---------------------------------------------------------------------- */

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->of != y->of)
		return x->of < y->of ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void put_in_order(struct capture *c, struct memoir_region *to, uint32_t *index)
{
	struct name_parts *parts = c->parts;
	uint32_t n = 0;
	size_t part = 0;

	qsort(parts->parts, parts->count, sizeof(*parts->parts), compare_parts);
	for (uint32_t i = 0; i < parts->first; i++) {
		index[i] = n;
		to[n++] = c->snap->regions[i];
		for (; part < parts->count && parts->parts[part].of == i; part++) {
			index[parts->parts[part].at] = n;
			to[n++] = c->snap->regions[parts->parts[part].at];
		}
	}
}

static void move_indices(struct capture *c, const uint32_t *index)
{
	struct memoir_snapshot *s = c->snap;

	for (size_t i = 0; i < s->set_count; i++)
		s->sets[i].region = index[s->sets[i].region];
	for (size_t i = 0; i < s->process_count; i++)
		if (s->processes[i].region_count)
			s->processes[i].first_region = index[s->processes[i].first_region];
	for (size_t i = 0; i < c->parts->count; i++) {
		uint32_t process = s->regions[c->parts->first + i].process;

		if (process < s->process_count)
			s->processes[process].region_count++;
	}
}

int capture_settle_parts(struct capture *c)
{
	struct memoir_snapshot *s = c->snap;
	struct memoir_region *regions;
	uint32_t *index;

	if (!c->parts || !c->parts->count)
		return 0;
	regions = malloc(s->region_room * sizeof(*regions));
	index = malloc(s->region_count * sizeof(*index));
	if (!regions || !index) {
		free(regions);
		free(index);
		return -ENOMEM;
	}
	put_in_order(c, regions, index);
	move_indices(c, index);
	free(index);
	free(s->regions);
	s->regions = regions;
	return 0;
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
	free(c->parts);
	c->parts = NULL;
}
