// SPDX-License-Identifier: MIT
/*
 * From the tally's sets to the snapshot: each region's shares, what of a process nobody else maps, how
 * much of each object is mapped, and the sharing sets themselves.
 */
#include <errno.h>
#include <stdlib.h>

#include "snapshot/folios.h"

struct shares {
	struct capture *c;
	const struct tally *tally;
	struct tally_sum *sums; /* by node */
	int64_t *freed;         /* by node: pages that go with the last of its members */
	uint32_t *sole;         /* by node: the process that has all its members, or MEMOIR_NONE */
};

static void take_region_shares(const struct shares *s, size_t i)
{
	const struct tally_node *node = &s->tally->nodes[i];
	struct region *region = capture_region(s->c, node->region);

	region_add(&region->uss, node->depth == 1 ? s->sums[i].ram_pages : 0);
	region->pss_fixed += s->sums[i].ram_fixed;
	region->swap_pss_fixed += s->sums[i].swap_fixed;
}

static void take_sole(const struct shares *s, size_t i)
{
	const struct tally_node *node = &s->tally->nodes[i];
	uint32_t region = capture_region_of(s->c, node->region);
	uint32_t process = capture_region(s->c, region)->process;

	s->sole[i] = node->parent < TALLY_ROOTS || s->sole[node->parent] == process ? process
										    : MEMOIR_NONE;
	if (s->sole[i] == MEMOIR_NONE || node->of_object)
		return;
	s->c->snap->processes[process].sole_anon_bytes += (uint64_t)s->freed[i] * PAGE_BYTES;
	s->c->snap->processes[process].sole_swap_bytes += s->sums[i].swap_pages * PAGE_BYTES;
}

static void take_mapped(const struct shares *s, size_t i)
{
	const struct tally_node *node = &s->tally->nodes[i];
	uint64_t pages = s->sums[i].ram_pages;
	uint32_t object = MEMOIR_NONE;

	if (node->of_object)
		object = capture_region(s->c, node->region)->object;
	if (object != MEMOIR_NONE)
		s->c->snap->objects[object].mapped_bytes += pages * PAGE_BYTES;
}

void capture_take_span(uint32_t region, uint64_t pss_fixed, uint64_t own_pages, void *arg)
{
	struct region *regions = arg;

	/* Of each mapping by itself, as it is where all have regions. */
	if (regions[region].joins)
		pss_fixed &= ~((1ull << PSS_SHIFT) - 1);
	regions[region].pss_fixed += pss_fixed;
	region_add(&regions[region].uss, own_pages);
}

static int settle_spans(struct capture *c)
{
	int err = spans_settle(&c->spans);

	if (err)
		return err;
	if (!spans_in_order(&c->spans))
		spans_shares(&c->spans, capture_take_span, c->snap->captured.regions);
	for (size_t i = 0; i < c->spans.chunk_count; i++) {
		const struct spans_chunk *chunk = c->spans.chunks[i];

		c->snap->objects[capture_offset_object(chunk->base)].mapped_bytes +=
			chunk->mapped * PAGE_BYTES;
	}
	return 0;
}

/* ---- sets ----------------------------------------------------------------------------------- */

/* Which nodes have pages, or a node below that has. */
static void mark_used(const struct shares *s, uint32_t *index)
{
	for (size_t i = s->tally->node_count - 1; i >= TALLY_ROOTS; i--) {
		if (s->sums[i].ram_pages || s->sums[i].swap_pages || s->freed[i])
			index[i] = 1;
		if (index[i])
			index[s->tally->nodes[i].parent] = 1;
	}
}

static int keep_sets(const struct shares *s)
{
	uint32_t *index = calloc(s->tally->node_count, sizeof(*index));

	if (!index)
		return -ENOMEM;
	mark_used(s, index);
	/* From here on the index of those kept; roots are nobody's index. */
	index[TALLY_ANON_ROOT] = index[TALLY_OBJECT_ROOT] = MEMOIR_NONE;
	for (size_t i = TALLY_ROOTS; i < s->tally->node_count; i++) {
		const struct tally_node *node = &s->tally->nodes[i];
		struct memoir_set *set = index[i] ? snapshot_add_set(s->c->snap) : NULL;

		if (!index[i])
			continue;
		if (!set) {
			free(index);
			return -ENOMEM;
		}
		*set = (struct memoir_set){
			.parent = index[node->parent],
			.region = node->region,
			.members = node->depth,
			.of_object = node->of_object,
			.ram_bytes = s->sums[i].ram_pages * PAGE_BYTES,
			.swap_bytes = s->sums[i].swap_pages * PAGE_BYTES,
			.freed_bytes = node->of_object ? 0 : (uint64_t)s->freed[i] * PAGE_BYTES,
		};
		index[i] = (uint32_t)s->c->snap->set_count - 1;
	}
	free(index);
	s->c->snap->sets_known = true;
	return 0;
}

/* Page by page, but for large folios. */
static int find_freed(struct shares *s, const struct folio_gains *gains)
{
	s->freed = malloc(s->tally->node_count * sizeof(*s->freed));
	if (!s->freed)
		return -ENOMEM;
	for (size_t i = 0; i < s->tally->node_count; i++)
		s->freed[i] = s->sums[i].ram_pages;
	for (size_t i = 0; i < gains->count; i++)
		s->freed[gains->rows[i].node] += gains->rows[i].pages;
	return 0;
}

static int take_all(struct shares *s, const struct folio_gains *gains)
{
	int err = tally_sum(s->tally, &s->sums);

	if (!err)
		err = find_freed(s, gains);
	s->sole = malloc(s->tally->node_count * sizeof(*s->sole));
	if (err || !s->sole)
		return -ENOMEM;
	for (size_t i = TALLY_ROOTS; i < s->tally->node_count; i++) {
		take_region_shares(s, i);
		take_sole(s, i);
		take_mapped(s, i);
	}
	/* smaps tells of no page who else maps it. */
	return capture_wants_sets(s->c) && s->c->snap->engine != MEMOIR_ENGINE_SMAPS ? keep_sets(s)
										     : 0;
}

int capture_take_shares(struct capture *c)
{
	struct shares s = { .c = c, .tally = &c->tally };
	struct folio_gains gains = { 0 };
	int err = capture_settle_folios(c, &gains);

	if (!err)
		err = c->tally.error;
	if (!err)
		err = take_all(&s, &gains);
	if (!err)
		err = settle_spans(c);
	free(gains.rows);
	free(s.sole);
	free(s.freed);
	free(s.sums);
	return err;
}
