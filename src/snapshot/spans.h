/* SPDX-License-Identifier: MIT */
/*
 * Who maps which pages of objects, for figures alone: runs of offsets are counted instead of pages, and
 * which regions share a page is not kept. Where that is asked for, the tally does it (tally.h).
 *
 * A run costs two to four bytes and two additions, however long it is. Once all are there, each page's
 * share is worked out once for all that map it, and a run's shares are the difference of two sums.
 */
#ifndef MEMOIR_SNAPSHOT_SPANS_H
#define MEMOIR_SNAPSHOT_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/u64map.h"

#define SPANS_CHUNK 512
#define SPANS_MARK 2048u

struct spans_chunk {
	uint64_t base; /* key of cells[0] */
	/*
	 * How many more map this page than the one before; once settled, what one mapping of each of the
	 * pages before it gets, summed up: pages that nobody shares << SPANS_OWN_SHIFT | Pss.
	 */
	uint64_t cells[SPANS_CHUNK + 1];
	uint32_t mapped; /* pages that anybody maps, once settled */
};

#define SPANS_OWN_SHIFT 48

struct spans {
	struct spans_chunk **chunks;
	size_t chunk_count, chunk_room;
	struct u64map by_base;
	struct spans_chunk *last;
	uint8_t *runs; /* as spans.c packs them */
	size_t run_bytes, run_room;
	uint64_t start, end;    /* of the run that may still grow; none where they are equal */
	uint64_t packed_end;    /* where the last packed run ended */
	uint32_t region;        /* of the run that may still grow */
	uint32_t packed_region; /* of the last packed run */
	bool cut;               /* by spans_cut(), since then */
	/* By SPANS_MARK regions: where among the runs theirs begin, if no region came behind a later one. */
	size_t *marks;
	size_t mark_count, mark_room;
	bool disorder;
	int error; /* -ENOMEM once memory ran out; then nothing more is counted */
};

void spans_free(struct spans *spans);

/* What spans_add() does off its beaten path: another run. */
void spans_begin(struct spans *spans, uint32_t region, uint64_t key, uint64_t pages);

/* The region maps these pages of an object; keys are those of the tally (TALLY_OFFSET). */
static inline void spans_add(struct spans *spans, uint32_t region, uint64_t key, uint64_t pages)
{
	if (key == spans->end && region == spans->region)
		spans->end += pages;
	else
		spans_begin(spans, region, key, pages);
}

/* The shares of a region's runs from here on are told by themselves, and cut by themselves. */
void spans_cut(struct spans *spans);

/* When all are added: work out the shares. 0 or -ENOMEM. */
int spans_settle(struct spans *spans);

/* What a region gets of some of its runs, after spans_settle(): Σ 4096 << 12 / mappings, cut for each page. */
typedef void spans_share_fn(uint32_t region, uint64_t pss_fixed, uint64_t own_pages, void *arg);
void spans_shares(const struct spans *spans, spans_share_fn *share, void *arg);

/* Whether regions were added in their order, as a walk does: then threads can divide them. */
static inline bool spans_in_order(const struct spans *spans)
{
	return !spans->disorder;
}

/* The same of the regions [from, to) only, if they are in order; from: a multiple of SPANS_MARK. */
void spans_shares_of(const struct spans *spans, uint32_t from, uint32_t to, spans_share_fn *share,
		     void *arg);

#endif
