// SPDX-License-Identifier: MIT
/*
 * Shared buffers and their holders: references put together by buffer and process, and each one's share
 * worked out. Asks no kernel and prints nothing.
 */
#include <memoir/buffers.h>

#include <errno.h>
#include <stdlib.h>

#include "analysis/buffer_watch.h"
#include "analysis/object_sums.h"
#include "analysis/select.h"
#include "base/grow.h"
#include "base/search.h"

/* A reference: an fd, or a region. */
struct ref {
	uint32_t object, process;
	uint32_t region; /* MEMOIR_NONE: an fd, or announced */
	int32_t fd;
	uint32_t announced;
};

/* What rows point at. */
struct memory {
	struct memoir_buffer_holder *holders;
	int32_t *fds;
	struct memoir_range *ranges;
};

struct gathering {
	const struct memoir_snapshot *s;
	size_t process_count;
	struct ref *refs;
	size_t ref_count, ref_room;
	uint64_t *pss; /* of each region: the object's part */
	struct memory *memory;
	size_t holder_count, fd_count, range_count;
	struct memoir_buffer *rows;
	size_t row_count, row_room;
};

/* ---- references ----------------------------------------------------------------------------- */

static int add_ref(struct gathering *g, const struct ref *ref)
{
	const struct memoir_object *object = memoir_snapshot_object(g->s, ref->object);
	struct ref *refs;

	if (!object || !memoir_object_is_buffer(object) || ref->process >= g->process_count)
		return 0;
	refs = grow(g->refs, &g->ref_room, g->ref_count + 1, sizeof(*refs));
	if (!refs)
		return -ENOMEM;
	g->refs = refs;
	refs[g->ref_count++] = *ref;
	return 0;
}

static int list_refs(struct gathering *g)
{
	size_t regions = memoir_snapshot_region_count(g->s);
	size_t holders = memoir_snapshot_holder_count(g->s);
	int err = 0;

	for (size_t i = 0; i < regions && !err; i++) {
		const struct memoir_region *r = memoir_snapshot_region(g->s, i);

		if (r->object != MEMOIR_NONE)
			err = add_ref(g, &(struct ref){ r->object, r->process, (uint32_t)i,
							MEMOIR_NO_FD, 0 });
	}
	for (size_t i = 0; i < holders && !err; i++) {
		const struct memoir_holder *h = memoir_snapshot_holder(g->s, i);

		err = add_ref(g, &(struct ref){ h->object, h->process, MEMOIR_NONE, h->fd,
						h->announced });
	}
	return err;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Regions are in order of their addresses. */
static int compare_refs(const void *left, const void *right)
{
	const struct ref *a = left, *b = right;
	int order = compare(a->object, b->object);

	if (!order)
		order = compare(a->process, b->process);
	if (!order)
		order = compare(a->region, b->region);
	return order ? order : compare((uint32_t)a->fd, (uint32_t)b->fd);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static struct memoir_buffer *add_row(struct gathering *g)
{
	struct memoir_buffer *rows = grow(g->rows, &g->row_room, g->row_count + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	g->rows = rows;
	rows[g->row_count] = (struct memoir_buffer){ 0 };
	return &rows[g->row_count++];
}

static uint64_t less(uint64_t bytes, uint64_t part_bytes)
{
	return bytes > part_bytes ? bytes - part_bytes : 0;
}

static void take_region(struct gathering *g, struct memoir_buffer_holder *holder, uint32_t i)
{
	const struct memoir_region *region = memoir_snapshot_region(g->s, i);
	const uint64_t *bytes = region->figures.bytes;

	g->memory->ranges[g->range_count++] = (struct memoir_range){ region->start, region->end };
	holder->range_count++;
	holder->mapped_bytes += region->end - region->start;
	if (!(region->figures.known & 1u << MEMOIR_RSS)) {
		holder->mapped_known = false;
		return;
	}
	uint64_t rss_bytes = less(bytes[MEMOIR_RSS], bytes[MEMOIR_ANON]);

	holder->rss_bytes += rss_bytes;
	/* Without sharing sets copies that a family shares are not told from pages of the object. */
	holder->mapped_share_bytes += g->pss[i] < rss_bytes ? g->pss[i] : rss_bytes;
}

/* The references of one process to one object, which begin at `at`; returns where they end. */
static size_t take_holder(struct gathering *g, size_t at)
{
	struct memoir_buffer_holder *holder = &g->memory->holders[g->holder_count++];
	const struct ref first = g->refs[at];

	*holder = (struct memoir_buffer_holder){
		.process = memoir_snapshot_process(g->s, first.process),
		.fds = &g->memory->fds[g->fd_count],
		.ranges = &g->memory->ranges[g->range_count],
		.mapped_known = true,
	};
	for (; at < g->ref_count && g->refs[at].object == first.object &&
	       g->refs[at].process == first.process;
	     at++) {
		if (g->refs[at].region != MEMOIR_NONE) {
			take_region(g, holder, g->refs[at].region);
			continue;
		}
		if (g->refs[at].fd == MEMOIR_NO_FD) {
			holder->announced += g->refs[at].announced;
			holder->mapped_known = false;
			continue;
		}
		g->memory->fds[g->fd_count++] = g->refs[at].fd;
		holder->fd_count++;
	}
	return at;
}

/* What somebody has in its rss: where pages were not told apart, as much as the shares make. */
static uint64_t mapped_bytes(const struct memoir_object *object,
			     const struct memoir_buffer_holder *holders, uint32_t count)
{
	uint64_t sum_bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		sum_bytes += holders[i].mapped_share_bytes;
	return sum_bytes > object->mapped_bytes ? sum_bytes : object->mapped_bytes;
}

static void share_out(const struct memoir_buffer *row, struct memoir_buffer_holder *holders)
{
	uint32_t count = row->holder_count;

	if (!row->resident_known || !count)
		return;
	uint64_t extra_bytes = less(row->own_bytes, mapped_bytes(row->object, holders, count));

	for (uint32_t i = 0; i < count; i++) {
		holders[i].share_bytes = row->own_bytes / count;
		holders[i].extra_bytes = extra_bytes / count;
		holders[i].unique_bytes = count == 1 ? row->own_bytes : 0;
		holders[i].shares_known = true;
	}
}

static void describe(struct memoir_buffer *row, const struct memoir_object *object)
{
	row->object = object;
	row->kind = memoir_kind_name(object->kind);
	row->tag = object->tag;
	row->resident_known = object->resident_known;
	row->resident_bytes = object->resident_known ? object->resident_bytes : 0;
	row->own_bytes = less(row->resident_bytes, object->elsewhere_bytes);
}

static int add_buffer(struct gathering *g, const struct memoir_object *object, size_t *at,
		      uint32_t index)
{
	struct memoir_buffer_holder *holders = &g->memory->holders[g->holder_count];
	struct memoir_buffer *row = add_row(g);

	if (!row)
		return -ENOMEM;
	describe(row, object);
	row->holders = holders;
	while (*at < g->ref_count && g->refs[*at].object == index) {
		*at = take_holder(g, *at);
		row->holder_count++;
	}
	share_out(row, holders);
	return 0;
}

static int add_buffers(struct gathering *g)
{
	size_t objects = memoir_snapshot_object_count(g->s), at = 0;
	int err = 0;

	for (uint32_t i = 0; i < objects && !err; i++) {
		const struct memoir_object *object = memoir_snapshot_object(g->s, i);

		if (memoir_object_is_buffer(object))
			err = add_buffer(g, object, &at, i);
	}
	return err;
}

static bool is_before(const void *element, const void *key)
{
	return ((const struct memoir_buffer *)element)->object < (const struct memoir_object *)key;
}

/* Rows are in the order of their objects, as long as they are not sorted. */
static const struct memoir_buffer *row_of_object(const struct gathering *g, uint32_t index)
{
	const struct memoir_object *object = memoir_snapshot_object(g->s, index);
	size_t at = lower_bound(g->rows, g->row_count, sizeof(*g->rows), is_before, object);

	return at < g->row_count && g->rows[at].object == object ? &g->rows[at] : NULL;
}

/* Who has a udmabuf has the pages of the memfd that it is made of: these are nobody's alone then. */
static void share_backings(struct gathering *g)
{
	for (size_t i = 0; i < g->row_count; i++) {
		const struct memoir_buffer *row = &g->rows[i];
		const struct memoir_buffer *backing =
			row->object->is_backed ? row_of_object(g, row->object->backing) : NULL;

		if (!backing || backing->holder_count != 1 ||
		    (row->holder_count == 1 && row->holders->process == backing->holders->process))
			continue;
		g->memory->holders[backing->holders - g->memory->holders].unique_bytes = 0;
	}
}

/* ---- what is not seen ----------------------------------------------------------------------- */

#define IN_FLIGHT "in-flight"

/* An fd of a socket; those of one process stand together. */
static void take_socket_fd(struct gathering *g, struct memoir_buffer *row,
			   const struct memoir_in_flight *in_flight)
{
	const struct memoir_process *process = memoir_snapshot_process(g->s, in_flight->process);
	struct memoir_buffer_holder *holder = &g->memory->holders[g->holder_count - 1];

	if (!row->holder_count || holder->process != process) {
		holder = &g->memory->holders[g->holder_count++];
		*holder = (struct memoir_buffer_holder){
			.process = process,
			.fds = &g->memory->fds[g->fd_count],
			.mapped_known = true,
		};
		row->holder_count++;
	}
	g->memory->fds[g->fd_count++] = in_flight->fd;
	holder->fd_count++;
}

/* The fds of one socket, which begin at `at`; in *ret_end where they end. */
static int add_socket(struct gathering *g, size_t at, size_t *ret_end)
{
	const struct memoir_in_flight *first = memoir_snapshot_in_flight(g->s, at);
	const struct memoir_in_flight *in_flight = first;
	struct memoir_buffer *row = add_row(g);

	if (!row)
		return -ENOMEM;
	*row = (struct memoir_buffer){
		.kind = IN_FLIGHT,
		.tag = "files in a socket",
		.files_in_flight = first->files,
		.holders = &g->memory->holders[g->holder_count],
	};
	for (; in_flight && in_flight->socket == first->socket;
	     in_flight = memoir_snapshot_in_flight(g->s, ++at))
		take_socket_fd(g, row, in_flight);
	*ret_end = at;
	return 0;
}

static int add_hidden(struct gathering *g, const char *key, const char *kind, const char *tag)
{
	struct memoir_buffer *row;
	uint64_t bytes;

	if (memoir_snapshot_meminfo(g->s, key, &bytes) < 0 || !bytes)
		return 0;
	row = add_row(g);
	if (!row)
		return -ENOMEM;
	*row = (struct memoir_buffer){
		.kind = kind,
		.tag = tag,
		.resident_bytes = bytes,
		.own_bytes = bytes,
		.resident_known = true,
	};
	return 0;
}

static int add_unseen(struct gathering *g)
{
	size_t count = memoir_snapshot_in_flight_count(g->s);
	int err = 0;

	for (size_t i = 0; i < count && !err;)
		err = add_socket(g, i, &i);
	if (!err)
		err = add_hidden(g, "tmpfs_unopened_bytes", memoir_kind_name(MEMOIR_KIND_SHMEM),
				 "files in tmpfs that no process has");
	if (!err)
		err = add_hidden(g, "shmem_hidden_bytes", IN_FLIGHT,
				 "shared memory in flight, or hidden");
	return err;
}

/* ---- selection ------------------------------------------------------------------------------ */

/* By a process that is meant, and where a range is, by what it maps there. */
bool buffer_holder_matches(const struct memoir_selection *selection,
			   const struct memoir_buffer_holder *holder)
{
	if (!memoir_selection_matches_process(selection, holder->process))
		return false;
	for (size_t i = 0; selection && i < selection->count; i++) {
		const struct selector *selector = &selection->selectors[i];
		bool any = selector->key != KEY_RANGE;

		for (uint32_t k = 0; k < holder->range_count && !any; k++)
			any = holder->ranges[k].start < selector->end &&
			      holder->ranges[k].end > selector->start;
		if (!any)
			return false;
	}
	return true;
}

static bool matches(const struct memoir_selection *selection, const struct memoir_buffer *row)
{
	if (!selection_matches_buffer(selection, row->object, row->kind, row->tag))
		return false;
	if (!selection_has_process_keys(selection))
		return true;
	for (uint32_t i = 0; i < row->holder_count; i++)
		if (buffer_holder_matches(selection, &row->holders[i]))
			return true;
	return false;
}

static void select_rows(struct gathering *g, const struct memoir_selection *selection)
{
	size_t kept = 0;

	if (memoir_selection_empty(selection))
		return;
	for (size_t i = 0; i < g->row_count; i++)
		if (matches(selection, &g->rows[i]))
			g->rows[kept++] = g->rows[i];
	g->row_count = kept;
}

static int by_bytes(const void *left, const void *right)
{
	const struct memoir_buffer *a = left, *b = right;
	uint64_t a_size = a->object ? a->object->size_bytes : 0;
	uint64_t b_size = b->object ? b->object->size_bytes : 0;
	int order = compare(b->own_bytes, a->own_bytes);

	if (!order)
		order = compare(b_size, a_size);
	return order ? order : compare((uintptr_t)a->object, (uintptr_t)b->object);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void free_memory(struct memory *memory)
{
	if (!memory)
		return;
	free(memory->holders);
	free(memory->fds);
	free(memory->ranges);
	free(memory);
}

/* Each reference is at most one of each, and so is each socket. */
static int make_memory(struct gathering *g)
{
	size_t most = g->ref_count + memoir_snapshot_in_flight_count(g->s) + 1;

	g->memory = calloc(1, sizeof(*g->memory));
	if (!g->memory)
		return -ENOMEM;
	g->memory->holders = calloc(most, sizeof(*g->memory->holders));
	g->memory->fds = calloc(most, sizeof(*g->memory->fds));
	g->memory->ranges = calloc(most, sizeof(*g->memory->ranges));
	return g->memory->holders && g->memory->fds && g->memory->ranges ? 0 : -ENOMEM;
}

static int gather(struct gathering *g)
{
	int err = list_refs(g);

	g->pss = err ? NULL : object_pss_of_regions(g->s);
	if (!err && !g->pss)
		err = -ENOMEM;
	if (!err)
		err = make_memory(g);
	if (err)
		return err;
	if (g->ref_count)
		qsort(g->refs, g->ref_count, sizeof(*g->refs), compare_refs);
	err = add_buffers(g);
	if (err)
		return err;
	share_backings(g);
	return add_unseen(g);
}

int memoir_buffers(const struct memoir_snapshot *snapshot, const struct memoir_selection *selection,
		   struct memoir_buffers *ret_buffers)
{
	struct gathering g = {
		.s = snapshot,
		.process_count = memoir_snapshot_process_count(snapshot),
	};
	int err = gather(&g);

	free(g.refs);
	free(g.pss);
	if (err) {
		free_memory(g.memory);
		free(g.rows);
		return err;
	}
	select_rows(&g, selection);
	if (g.row_count)
		qsort(g.rows, g.row_count, sizeof(*g.rows), by_bytes);
	*ret_buffers = (struct memoir_buffers){
		.count = g.row_count,
		.rows = g.rows,
		.known = memoir_snapshot_holders_known(snapshot),
		.memory = g.memory,
	};
	return 0;
}

void memoir_buffers_free(struct memoir_buffers *buffers)
{
	if (!buffers)
		return;
	free_memory(buffers->memory);
	free(buffers->rows);
	*buffers = (struct memoir_buffers){ 0 };
}
