// SPDX-License-Identifier: MIT
/*
 * The most that buffers of one kind and tag had, over many looks. Tags come from strangers, who may invent
 * new ones all the time: those with the lowest peaks are dropped when there are too many.
 */
#include "analysis/buffer_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/grow.h"

/* ---- one look ------------------------------------------------------------------------------- */

static bool is_of(const struct peak *peak, const struct memoir_buffer *buffer)
{
	const char *tag = peak->row.tag;

	return strcmp(peak->row.kind, buffer->kind) == 0 &&
	       (tag && buffer->tag ? strcmp(tag, buffer->tag) == 0 : tag == buffer->tag);
}

static uint64_t key_of(const char *kind, const char *tag)
{
	uint64_t of_kind = XXH3_64bits(kind, strlen(kind));

	return tag ? XXH3_64bits_withSeed(tag, strlen(tag), of_kind) : of_kind;
}

void peaks_begin(struct peaks *p)
{
	for (size_t i = 0; i < p->count; i++) {
		p->all[i].row.bytes = p->all[i].size_bytes = 0;
		p->all[i].row.buffers = 0;
		p->all[i].known = false;
	}
}

/* What has the same hash as another one stands at the next key. */
static struct peak *find(struct peaks *p, const struct memoir_buffer *buffer, uint64_t *ret_key)
{
	uint64_t key = key_of(buffer->kind, buffer->tag);
	uint32_t i;

	while ((i = u64map_get(&p->by_tag, key)) != U64MAP_NONE && !is_of(&p->all[i], buffer))
		key++;
	*ret_key = key;
	return i == U64MAP_NONE ? NULL : &p->all[i];
}

static struct peak *add(struct peaks *p, const struct memoir_buffer *buffer, uint64_t key)
{
	struct peak *all = grow(p->all, &p->room, p->count + 1, sizeof(*all));
	char *tag = buffer->tag ? strdup(buffer->tag) : NULL;

	if (all)
		p->all = all;
	if (!all || (buffer->tag && !tag) || u64map_set(&p->by_tag, key, (uint32_t)p->count) < 0) {
		free(tag);
		return NULL;
	}
	all[p->count] = (struct peak){ .row = { .tag = tag, .kind = buffer->kind } };
	return &all[p->count++];
}

int peaks_add(struct peaks *p, const struct memoir_buffer *buffer)
{
	uint64_t key;
	struct peak *peak = find(p, buffer, &key);

	if (!peak)
		peak = add(p, buffer, key);
	if (!peak)
		return -ENOMEM;
	peak->row.buffers++;
	peak->row.bytes += buffer->own_bytes;
	peak->known |= buffer->resident_known;
	peak->size_bytes += buffer->object ? buffer->object->size_bytes : 0;
	return 0;
}

/* ---- too many ------------------------------------------------------------------------------- */

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_rows(const struct memoir_buffer_peak *a, const struct memoir_buffer_peak *b)
{
	int order = compare(b->peak_bytes, a->peak_bytes);

	if (!order)
		order = compare(b->peak_size_bytes, a->peak_size_bytes);
	if (!order)
		order = strcmp(a->kind, b->kind);
	return order ? order : strcmp(a->tag ? a->tag : "", b->tag ? b->tag : "");
}

/* Those that are there first, as they have to stay. */
static int by_worth(const void *left, const void *right)
{
	const struct peak *a = left, *b = right;
	int order = compare(b->row.buffers != 0, a->row.buffers != 0);

	return order ? order : compare_rows(&a->row, &b->row);
}

static int drop_lowest(struct peaks *p)
{
	size_t keep = 0;
	int err = 0;

	qsort(p->all, p->count, sizeof(*p->all), by_worth);
	while (keep < p->count && p->all[keep].row.buffers)
		keep++;
	keep += PEAKS_MAX / 2;
	p->dropped += p->count - keep;
	while (p->count > keep)
		free((char *)p->all[--p->count].row.tag);
	u64map_free(&p->by_tag);
	for (size_t i = 0; i < p->count && !err; i++) {
		uint64_t key = key_of(p->all[i].row.kind, p->all[i].row.tag);

		while (u64map_get(&p->by_tag, key) != U64MAP_NONE)
			key++;
		err = u64map_set(&p->by_tag, key, (uint32_t)i);
	}
	return err;
}

int peaks_end(struct peaks *p, uint64_t time_ns)
{
	size_t gone = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct memoir_buffer_peak *row = &p->all[i].row;

		if (p->all[i].known && (!row->peak_known || row->bytes > row->peak_bytes)) {
			row->peak_bytes = row->bytes;
			row->peak_time_ns = time_ns;
			row->peak_known = true;
		}
		if (p->all[i].size_bytes > row->peak_size_bytes)
			row->peak_size_bytes = p->all[i].size_bytes;
		if (row->buffers > row->peak_buffers)
			row->peak_buffers = row->buffers;
		gone += !row->buffers;
	}
	/* Not at each look for a few. */
	return gone > PEAKS_MAX && gone > p->count / 4 ? drop_lowest(p) : 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int by_peak(const void *left, const void *right)
{
	return compare_rows(left, right);
}

const struct memoir_buffer_peak *peaks_rows(struct peaks *p, size_t *ret_count)
{
	struct memoir_buffer_peak *rows = grow(p->rows, &p->row_room, p->count + 1, sizeof(*rows));

	*ret_count = 0;
	if (!rows)
		return NULL;
	p->rows = rows;
	for (size_t i = 0; i < p->count; i++)
		rows[i] = p->all[i].row;
	if (p->count)
		qsort(rows, p->count, sizeof(*rows), by_peak);
	*ret_count = p->count;
	return rows;
}

void peaks_free(struct peaks *p)
{
	for (size_t i = 0; i < p->count; i++)
		free((char *)p->all[i].row.tag);
	free(p->all);
	free(p->rows);
	u64map_free(&p->by_tag);
	*p = (struct peaks){ 0 };
}
