// SPDX-License-Identifier: MIT
/*
 * Counts who maps how many of which pages by runs; knows nothing of processes, names or the kernel.
 */
#include "snapshot/spans.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/grow.h"

#define PAGE_FIXED (4096ull << 12)
#define OFFSET_MASK ((uint64_t)SPANS_CHUNK - 1)

void spans_free(struct spans *spans)
{
	for (size_t i = 0; i < spans->chunk_count; i++)
		free(spans->chunks[i]);
	free(spans->chunks);
	free(spans->runs);
	free(spans->marks);
	u64map_free(&spans->by_base);
	*spans = (struct spans){ 0 };
}

/* ---- chunks --------------------------------------------------------------------------------- */

static struct spans_chunk *add_chunk(struct spans *spans, uint64_t base)
{
	struct spans_chunk *chunk = calloc(1, sizeof(*chunk));
	struct spans_chunk **chunks =
		grow(spans->chunks, &spans->chunk_room, spans->chunk_count + 1, sizeof(*chunks));

	if (chunks)
		spans->chunks = chunks;
	if (!chunk || !chunks ||
	    u64map_set(&spans->by_base, base, (uint32_t)spans->chunk_count) < 0) {
		free(chunk);
		spans->error = -ENOMEM;
		return NULL;
	}
	chunk->base = base;
	spans->chunks[spans->chunk_count++] = chunk;
	return chunk;
}

static struct spans_chunk *find_chunk(const struct spans *spans, uint64_t base)
{
	uint32_t i = u64map_get(&spans->by_base, base);

	return i == U64MAP_NONE ? NULL : spans->chunks[i];
}

/* The part of a run that lies in one chunk. */
struct part {
	uint64_t base;
	size_t from, to; /* cells */
};

static struct part first_part(uint64_t start, uint64_t end)
{
	uint64_t base = start & ~OFFSET_MASK, stop = base + SPANS_CHUNK;

	return (struct part){ base, start - base, (stop < end ? stop : end) - base };
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* A number, seven bits a byte, the lowest first; all but the last have the top bit set. */
#define NUMBER_BYTES 10

static size_t pack_number(uint8_t *to, uint64_t number)
{
	size_t n = 0;

	for (; number >> 7; number >>= 7)
		to[n++] = (uint8_t)(number | 0x80);
	to[n++] = (uint8_t)number;
	return n;
}

static uint64_t unpack_number(const uint8_t **from)
{
	uint64_t number = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		byte = *(*from)++;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return number;
}

/* Each region's first run says whose it is, so that reading can begin with it. */
static void mark_region(struct spans *spans)
{
	size_t *marks = grow(spans->marks, &spans->mark_room, spans->region / SPANS_MARK + 1,
			     sizeof(*marks));

	spans->disorder |= spans->region < spans->packed_region;
	if (!marks) {
		spans->error = -ENOMEM;
		return;
	}
	spans->marks = marks;
	while (spans->mark_count <= spans->region / SPANS_MARK)
		marks[spans->mark_count++] = spans->run_bytes;
}

/*
 * A run is the gap since the last one of its region, and its length. Where the region is another one, or
 * the run lies before the last, or was cut off: a gap of 0, the region, the key, the length.
 */
static void pack_run(struct spans *spans)
{
	uint8_t *runs =
		grow(spans->runs, &spans->run_room, spans->run_bytes + (size_t)NUMBER_BYTES * 4, 1);
	size_t at = spans->run_bytes;

	if (!runs) {
		spans->error = -ENOMEM;
		return;
	}
	spans->runs = runs;
	if (spans->region / SPANS_MARK >= spans->mark_count || spans->region < spans->packed_region)
		mark_region(spans);
	if (spans->region == spans->packed_region && spans->start > spans->packed_end &&
	    !spans->cut) {
		at += pack_number(runs + at, spans->start - spans->packed_end);
	} else {
		runs[at++] = 0;
		at += pack_number(runs + at, spans->region);
		at += pack_number(runs + at, spans->start);
	}
	at += pack_number(runs + at, spans->end - spans->start);
	spans->run_bytes = at;
	spans->packed_region = spans->region;
	spans->cut = false;
	spans->packed_end = spans->end;
}

static void end_run(struct spans *spans)
{
	if (spans->start == spans->end || spans->error)
		return;
	pack_run(spans);
	for (uint64_t at = spans->start; at < spans->end;) {
		struct part part = first_part(at, spans->end);

		if (!spans->last || spans->last->base != part.base) {
			spans->last = find_chunk(spans, part.base);
			if (!spans->last)
				spans->last = add_chunk(spans, part.base);
		}
		if (!spans->last)
			break;
		spans->last->cells[part.from]++;
		spans->last->cells[part.to]--;
		at = part.base + part.to;
	}
	spans->start = spans->end;
}

void spans_begin(struct spans *spans, uint32_t region, uint64_t key, uint64_t pages)
{
	end_run(spans);
	spans->region = region;
	spans->start = key;
	spans->end = key + pages;
}

void spans_cut(struct spans *spans)
{
	end_run(spans);
	spans->cut = true;
}

/* ---- shares --------------------------------------------------------------------------------- */

static void settle_chunk(struct spans_chunk *chunk)
{
	uint64_t mappings = 0, sum = 0, each = 0;

	for (size_t i = 0; i < SPANS_CHUNK; i++) {
		uint64_t more = chunk->cells[i];

		if (more) {
			mappings += more;
			each = mappings ? PAGE_FIXED / mappings : 0;
			each |= (uint64_t)(mappings == 1) << SPANS_OWN_SHIFT;
		}
		chunk->cells[i] = sum;
		chunk->mapped += mappings != 0;
		sum += each;
	}
	chunk->cells[SPANS_CHUNK] = sum;
}

int spans_settle(struct spans *spans)
{
	end_run(spans);
	for (size_t i = 0; i < spans->chunk_count; i++)
		settle_chunk(spans->chunks[i]);
	return spans->error;
}

struct sharing_out {
	const struct spans *spans;
	spans_share_fn *share;
	void *arg;
	const struct spans_chunk *last;
	uint64_t pss_fixed, own_pages; /* of the region at hand */
	bool any;
};

static void share_run(struct sharing_out *out, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct part part = first_part(start, end);
		uint64_t sum;

		if (!out->last || out->last->base != part.base)
			out->last = find_chunk(out->spans, part.base);
		sum = out->last->cells[part.to] - out->last->cells[part.from];
		out->pss_fixed += sum & ((1ull << SPANS_OWN_SHIFT) - 1);
		out->own_pages += sum >> SPANS_OWN_SHIFT;
		start = part.base + part.to;
	}
}

/* No more runs of this region come one after the other. */
static void share_region(struct sharing_out *out, uint32_t region)
{
	if (out->any)
		out->share(region, out->pss_fixed, out->own_pages, out->arg);
	out->pss_fixed = out->own_pages = 0;
	out->any = false;
}

/* Until a region at or behind `to` comes. */
static void share_from(const struct spans *spans, const uint8_t *at, uint32_t to,
		       spans_share_fn *share, void *arg)
{
	struct sharing_out out = { .spans = spans, .share = share, .arg = arg };
	const uint8_t *stop = spans->runs + spans->run_bytes;
	uint64_t start = 0, end = 0;
	uint32_t region = 0;

	while (at < stop) {
		uint64_t gap = unpack_number(&at);

		if (gap) {
			start = end + gap;
		} else {
			share_region(&out, region);
			region = (uint32_t)unpack_number(&at);
			start = unpack_number(&at);
		}
		if (region >= to)
			return;
		end = start + unpack_number(&at);
		out.any = true;
		share_run(&out, start, end);
	}
	share_region(&out, region);
}

void spans_shares(const struct spans *spans, spans_share_fn *share, void *arg)
{
	share_from(spans, spans->runs, UINT32_MAX, share, arg);
}

void spans_shares_of(const struct spans *spans, uint32_t from, uint32_t to, spans_share_fn *share,
		     void *arg)
{
	size_t mark = from / SPANS_MARK;

	if (mark < spans->mark_count)
		share_from(spans, spans->runs + spans->marks[mark], to, share, arg);
}
