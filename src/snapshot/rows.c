// SPDX-License-Identifier: MIT
/*
 * Makes rows of regions as they were captured, and of the parts that names split them into; reads and counts nothing.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/crew.h"
#include "base/search.h"
#include "snapshot/model.h"

static const char *const doubts[REGION_DOUBTS] = {
	[REGION_BY_SMAPS] = "from smaps: Pss is cut to kB and counts memoir itself as a sharer",
	[REGION_SWAP_UNKNOWN] = "swapped pages of its object could not be told by range: "
				"smaps was not readable",
	[REGION_THP_UNKNOWN] = "huge pages could not be told: smaps was not readable",
	[REGION_SPLIT_LATE] = "its pages were gone before names could split them",
	[REGION_THP_UNSPLIT] =
		"huge pages can't be told by part: this needs PAGEMAP_SCAN (Linux 6.7)",
	[REGION_VAST] = "it has more than 16 TiB, which is all that is counted",
};

void captured_free(struct captured *captured)
{
	free(captured->regions);
	free(captured->told);
	free(captured->uses);
	free(captured->splits.splits);
	free(captured->splits.parts);
	free(captured->splits.rows);
	free(captured->row_of);
	*captured = (struct captured){ 0 };
}

/* ---- regions -------------------------------------------------------------------------------- */

/* All of its figures are of pages that are in these. */
static bool is_vast(const struct region *region)
{
	return region->rss == REGION_PAGES_MAX || region->swap == REGION_PAGES_MAX ||
	       region->hugetlb == REGION_PAGES_MAX;
}

struct memoir_region captured_row(const struct region *region)
{
	enum region_doubt doubt = is_vast(region) ? REGION_VAST : region->doubt;
	struct memoir_region row = {
		.start = region->start,
		.end = region->end,
		.offset_bytes = region->offset_bytes,
		.kind = region->kind,
		.name_source = region->name_source,
		.exact = doubt == REGION_EXACT,
		.locked = region->flags & VM_LOCKED,
		.process = region->process,
		.object = region->object,
		.family = region->family,
		.name = region->name,
		.path = region->path,
		.inexact_why = doubts[doubt],
	};

	set_perms(row.perms, region->flags);
	return row;
}

/* Figures of processes out of scope are parts of sums that were not looked at whole: left unknown. */
static bool has_figures(const struct memoir_snapshot *s, const struct region *region)
{
	const struct memoir_process *process = &s->processes[region->process];

	return s->captured.counted && process->in_scope && process->readable;
}

static void make_row(const struct memoir_snapshot *s, size_t i, struct memoir_region *row)
{
	const struct region *region = &s->captured.regions[i];

	*row = captured_row(region);
	if (s->captured.told) {
		row->figures = s->captured.told[i];
	} else if (has_figures(s, region)) {
		row->figures = region_figures(region);
		row->own_anon_bytes = region->alone_anon * PAGE_BYTES;
		row->own_swap_bytes = region->swap_alone * PAGE_BYTES;
	}
}

/* ---- parts ---------------------------------------------------------------------------------- */

static int compare_splits(const void *a, const void *b)
{
	const struct region_split *x = a, *y = b;

	return x->region < y->region ? -1 : x->region > y->region;
}

struct region_split *captured_split(const struct captured *captured, uint32_t region)
{
	const struct region_split key = { .region = region };
	const struct region_splits *splits = &captured->splits;

	return splits->count
		       ? bsearch(&key, splits->splits, splits->count, sizeof(key), compare_splits)
		       : NULL;
}

/* Of a row of the whole region. */
static void set_part(struct memoir_region *row, const struct region_splits *splits,
		     const struct region_split *split, uint32_t i)
{
	const struct region_part *part = &splits->parts[split->first + i];

	row->start = part->start;
	if (i + 1 < split->count)
		row->end = part[1].start;
	row->name = part->name;
	row->name_source = row->name ? split->source : MEMOIR_NAME_NONE;
}

struct memoir_region captured_part(const struct captured *captured,
				   const struct region_split *split, uint32_t i)
{
	struct memoir_region row = captured_row(&captured->regions[split->region]);

	set_part(&row, &captured->splits, split, i);
	return row;
}

/* Resident pages that nobody else maps, and nothing else. */
static void set_own(struct memoir_region *row, uint64_t bytes, bool known)
{
	struct memoir_figures *figures = &row->figures;

	figures->bytes[MEMOIR_RSS] = bytes;
	figures->bytes[MEMOIR_PSS] = bytes;
	figures->bytes[MEMOIR_USS] = bytes;
	figures->bytes[MEMOIR_ANON] = bytes;
	figures->known = known ? (1u << MEMOIR_FIGURES) - 1 : 0;
	row->own_anon_bytes = bytes;
}

static bool is_empty(const struct memoir_region *row)
{
	return !row->figures.bytes[MEMOIR_RSS] && !row->figures.bytes[MEMOIR_SWAP];
}

static void make_parts(const struct memoir_snapshot *s, const struct region_split *split,
		       struct memoir_region *rows)
{
	const struct region_splits *splits = &s->captured.splits;
	const struct region *whole = &s->captured.regions[split->region];
	const struct memoir_region row = captured_row(whole);
	bool known = has_figures(s, whole);

	for (uint32_t i = 0; i < split->count; i++) {
		if (split->first_row != MEMOIR_NONE) {
			rows[i] = splits->rows[split->first_row + i];
		} else {
			rows[i] = row;
			set_part(&rows[i], splits, split, i);
			set_own(&rows[i], splits->parts[split->first + i].own_bytes, known);
		}
		if (region_may_be_guard(whole) && is_empty(&rows[i]))
			rows[i].kind = MEMOIR_KIND_GUARD;
	}
}

void captured_sort_splits(struct captured *captured)
{
	struct region_splits *splits = &captured->splits;

	if (splits->count)
		qsort(splits->splits, splits->count, sizeof(*splits->splits), compare_splits);
}

/* ---- the whole ------------------------------------------------------------------------------ */

#define TURN_REGIONS 1024u
/* Below this a thread costs more than it saves. */
#define MANY_ROWS 8192u

struct making {
	const struct memoir_snapshot *s;
	size_t next; /* the first region that nobody has taken yet */
};

static bool is_before_region(const void *element, const void *key)
{
	return ((const struct region_split *)element)->region < *(const size_t *)key;
}

static void make_some(const struct memoir_snapshot *s, size_t from, size_t to)
{
	const struct captured *captured = &s->captured;
	const struct region_splits *splits = &captured->splits;
	const struct region_split *end = splits->splits + splits->count;
	const struct region_split *split =
		splits->splits +
		lower_bound(splits->splits, splits->count, sizeof(*split), is_before_region, &from);

	for (size_t i = from; i < to; i++) {
		size_t at = captured->row_of ? captured->row_of[i] : i;

		if (split < end && split->region == i)
			make_parts(s, split++, &s->regions[at]);
		else
			make_row(s, i, &s->regions[at]);
	}
}

static void make_in_turns(void *arg)
{
	struct making *making = arg;
	size_t count = making->s->captured.count;

	for (;;) {
		size_t from = __atomic_fetch_add(&making->next, TURN_REGIONS, __ATOMIC_RELAXED);

		if (from >= count)
			return;
		make_some(making->s, from,
			  count - from < TURN_REGIONS ? count : from + TURN_REGIONS);
	}
}

void snapshot_make_rows(struct memoir_snapshot *s)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct making making = { .s = s };
	const struct captured *captured = &s->captured;

	pthread_mutex_lock(&lock);
	if (captured->rows_left) {
		crew_run(s->region_count < MANY_ROWS ? 1 : captured->threads, make_in_turns,
			 &making);
		__atomic_store_n(&s->captured.rows_left, false, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&lock);
}
