// SPDX-License-Identifier: MIT
/*
 * What large folios change about freeing. Page by page, a huge page that one child still maps 4 KiB of
 * would seem to give back 2 MiB less 4 KiB; in truth it gives back nothing until that child goes.
 */
#include "snapshot/folios.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "kernel/folio_sizes.h"

struct settling {
	struct tally *tally;
	struct folio_gains *gains;
	uint32_t *node_seen;   /* by node: in which folio it was met last */
	uint32_t *region_seen; /* by region, likewise */
	size_t nodes;          /* that there were at first */
	uint32_t turn;         /* number of the folio */
	uint32_t sets[FOLIO_BLOCK];
	uint32_t set_pages[FOLIO_BLOCK];
	size_t set_count;
	uint32_t *members; /* room for all regions */
	size_t member_count;
	struct u64map union_of; /* hash of the sets → node of all their members */
};

static int gain(struct settling *s, uint32_t node, int32_t pages)
{
	struct folio_gains *g = s->gains;
	struct folio_gain *rows;

	if (!pages)
		return 0;
	rows = grow(g->rows, &g->room, g->count + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	g->rows = rows;
	rows[g->count++] = (struct folio_gain){ .node = node, .pages = pages };
	return 0;
}

static void gather_sets(struct settling *s, const uint32_t *sets, size_t pages)
{
	s->set_count = 0;
	for (size_t i = 0; i < pages; i++) {
		size_t k = 0;

		if (sets[i] < TALLY_ROOTS)
			continue;
		while (k < s->set_count && s->sets[k] != sets[i])
			k++;
		if (k == s->set_count) {
			s->sets[s->set_count] = sets[i];
			s->set_pages[s->set_count++] = 0;
		}
		s->set_pages[k]++;
	}
}

static void gather_members(struct settling *s)
{
	s->turn++;
	s->member_count = 0;
	for (size_t i = 0; i < s->set_count; i++) {
		/* What is above a node that was met is known already. */
		for (uint32_t n = s->sets[i]; n >= TALLY_ROOTS && s->node_seen[n] != s->turn;
		     n = s->tally->nodes[n].parent) {
			uint32_t region = s->tally->nodes[n].region;

			s->node_seen[n] = s->turn;
			if (s->region_seen[region] == s->turn)
				continue;
			s->region_seen[region] = s->turn;
			s->members[s->member_count++] = region;
		}
	}
}

static uint64_t hash_sets(const struct settling *s)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < s->set_count; i++)
		hash = (hash ^ s->sets[i]) * 0x100000001b3;
	return hash ^ hash >> 29;
}

/* The node of all that are in any of the sets; folios that were shared alike have the same one. */
static int find_union(struct settling *s, uint32_t *ret_node)
{
	uint64_t hash = hash_sets(s);
	uint32_t node = u64map_get(&s->union_of, hash);

	if (node == U64MAP_NONE) {
		gather_members(s);
		node = TALLY_ANON_ROOT;
		for (size_t i = 0; i < s->member_count; i++)
			node = tally_add_child(s->tally, node, s->members[i]);
		if (s->tally->error || u64map_set(&s->union_of, hash, node) < 0)
			return -ENOMEM;
	}
	*ret_node = node;
	return 0;
}

static int settle(struct settling *s, const uint32_t *sets, size_t pages)
{
	uint32_t all;
	int err;

	gather_sets(s, sets, pages);
	if (s->set_count == 0)
		return 0;
	if (s->set_count == 1)
		return gain(s, s->sets[0], (int32_t)pages - (int32_t)s->set_pages[0]);
	err = find_union(s, &all);
	for (size_t i = 0; i < s->set_count && !err; i++)
		err = gain(s, s->sets[i], -(int32_t)s->set_pages[i]);
	return err ? err : gain(s, all, (int32_t)pages);
}

static int settle_chunk(struct settling *s, const struct tally_chunk *chunk,
			const struct kpage *kpage)
{
	uint16_t sizes[FOLIO_BLOCK] = { 0 };
	int err = 0;

	if (kpage)
		err = folio_sizes(kpage, chunk->base, sizes);
	/* Beyond the end of memory there is nothing; and a PMD maps one folio, whatever else is known. */
	if (chunk->huge)
		sizes[0] = FOLIO_BLOCK;
	for (size_t i = 0; i < FOLIO_BLOCK; i++) {
		if (!sizes[i])
			continue;
		err = settle(s, &chunk->sets[i], sizes[i]);
		if (err)
			return err;
		i += sizes[i] - 1u;
	}
	return err == -ENOMEM ? err : 0;
}

static bool may_have_folios(const struct tally_chunk *chunk, bool by_flags)
{
	return (chunk->base & TALLY_SPACES) == TALLY_FRAME && (by_flags || chunk->huge);
}

static int settle_all(struct settling *s, const struct kpage *kpage)
{
	int err = 0;

	_Static_assert(TALLY_CHUNK == FOLIO_BLOCK, "a chunk is what one PMD maps");
	for (size_t i = 0; i < s->tally->chunk_count && !err; i++)
		if (may_have_folios(s->tally->chunks[i], kpage))
			err = settle_chunk(s, s->tally->chunks[i], kpage);
	return err;
}

static bool has_folios(const struct capture *c)
{
	bool any = false;

	for (size_t i = 0; i < c->tally.chunk_count && !any; i++)
		any = may_have_folios(c->tally.chunks[i], c->by_folio);
	return any;
}

int capture_settle_folios(struct capture *c, struct folio_gains *gains)
{
	size_t nodes = c->tally.node_count, regions = capture_index_count(c);
	struct settling *s;
	struct kpage kpage;
	int err = -ENOMEM;

	if (!has_folios(c))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err;
	*s = (struct settling){ .tally = &c->tally, .gains = gains, .nodes = nodes };
	s->node_seen = calloc(nodes, sizeof(*s->node_seen));
	s->region_seen = calloc(regions + 1, sizeof(*s->region_seen));
	s->members = calloc(regions + 1, sizeof(*s->members));
	if (s->node_seen && s->region_seen && s->members) {
		bool by_flags = c->by_folio && kpage_open(c->memoir->root, &kpage) == 0;

		err = settle_all(s, by_flags ? &kpage : NULL);
		if (by_flags)
			kpage_close(&kpage);
	}
	u64map_free(&s->union_of);
	free(s->members);
	free(s->region_seen);
	free(s->node_seen);
	free(s);
	return err;
}
