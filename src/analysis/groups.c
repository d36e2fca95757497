// SPDX-License-Identifier: MIT
/*
 * The processes of sharing sets, as ranges of ranks; knows nothing of pairs and forks.
 */
#include "analysis/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/forks.h"
#include "analysis/sets.h"
#include "base/grow.h"

/* Each step up waits for memory: sets are climbed side by side, so that they wait together. */
#define LANES 8

struct climb {
	const struct memoir_set *set;
	uint32_t at;
	uint64_t *bits; /* the ranks of its processes */
};

struct making {
	struct groups *groups;
	const uint8_t *wanted;
	struct set_link *links; /* with ranks for processes */
	size_t words;           /* of bits for a set */
	uint64_t *bits;
	struct climb lanes[LANES];
	size_t lane_count;
};

/* ---- ranks ---------------------------------------------------------------------------------- */

/* Those of `order` that are wanted, or those that are not, get the next ranks. */
static void add_ranks(struct making *m, const uint32_t *order, bool wanted, uint32_t *next,
		      uint32_t *rank)
{
	for (size_t i = 0; i < m->groups->s->process_count; i++) {
		uint32_t process = order[i];

		if ((m->wanted[process] != 0) != wanted)
			continue;
		rank[process] = *next;
		m->groups->by_rank[(*next)++] = process;
	}
}

/* The order of families; in it, the wanted first. */
static int rank_processes(struct making *m)
{
	const struct memoir_snapshot *s = m->groups->s;
	uint32_t *rank = forks_rank(s), *order = calloc(s->process_count + 1, sizeof(*order));
	uint32_t next = 0;

	if (rank && order) {
		for (uint32_t i = 0; i < s->process_count; i++)
			order[rank[i]] = i;
		add_ranks(m, order, true, &next, rank);
		m->groups->wanted_count = next;
		add_ranks(m, order, false, &next, rank);
		for (size_t i = 0; i < s->set_count; i++)
			m->links[i].process = rank[m->links[i].process];
	}
	free(rank);
	free(order);
	return next == s->process_count ? 0 : -ENOMEM;
}

/* ---- sets ----------------------------------------------------------------------------------- */

static int add_end(struct groups *g, uint32_t rank)
{
	uint32_t *ends = grow(g->ends, &g->end_room, g->end_count + 1, sizeof(*ends));

	if (!ends)
		return -ENOMEM;
	g->ends = ends;
	ends[g->end_count++] = rank;
	return 0;
}

/* Where bits change: the first of a range, and what stands behind its last. */
static int add_ends(struct groups *g, const uint64_t *bits, size_t words)
{
	uint64_t before = 0;
	int err = 0;

	for (size_t word = 0; word < words && !err; word++) {
		uint64_t changes = bits[word] ^ (bits[word] << 1 | before);

		for (; changes && !err; changes &= changes - 1)
			err = add_end(g,
				      (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(changes));
		before = bits[word] >> 63;
	}
	return err;
}

static int add_group(struct making *m, const struct climb *climb)
{
	struct groups *g = m->groups;
	size_t first_end = g->end_count;
	struct group *all = grow(g->all, &g->room, g->count + 1, sizeof(*all));
	int err;

	if (!all)
		return -ENOMEM;
	g->all = all;
	err = add_ends(g, climb->bits, m->words);
	if (err)
		return err;
	/* All ranges begin behind those that are wanted. */
	if (g->ends[first_end] >= g->wanted_count) {
		g->end_count = first_end;
		return 0;
	}
	all[g->count++] = (struct group){
		.bytes = { .shared_bytes = climb->set->ram_bytes,
			   .shared_anon_bytes = climb->set->of_object ? 0 : climb->set->ram_bytes,
			   .shared_swap_bytes = climb->set->swap_bytes },
		.first_end = (uint32_t)first_end,
		.end_count = (uint32_t)(g->end_count - first_end),
	};
	return 0;
}

static void climb_all(struct making *m)
{
	size_t climbing;

	do {
		climbing = 0;
		for (size_t i = 0; i < m->lane_count; i++) {
			struct climb *climb = &m->lanes[i];
			struct set_link link;

			if (climb->at == MEMOIR_NONE)
				continue;
			link = m->links[climb->at];
			climb->bits[link.process / 64] |= UINT64_C(1) << link.process % 64;
			climb->at = link.parent;
			climbing++;
		}
	} while (climbing);
}

static int finish_climbs(struct making *m)
{
	int err = 0;

	climb_all(m);
	for (size_t i = 0; i < m->lane_count && !err; i++)
		err = add_group(m, &m->lanes[i]);
	memset(m->bits, 0, LANES * m->words * sizeof(*m->bits));
	m->lane_count = 0;
	return err;
}

static int add_sets(struct making *m)
{
	const struct memoir_snapshot *s = m->groups->s;
	int err = 0;

	for (uint32_t i = 0; i < s->set_count && !err; i++) {
		if (!s->sets[i].ram_bytes && !s->sets[i].swap_bytes)
			continue;
		m->lanes[m->lane_count] =
			(struct climb){ &s->sets[i], i, m->bits + m->lane_count * m->words };
		if (++m->lane_count == LANES)
			err = finish_climbs(m);
	}
	return err ? err : finish_climbs(m);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* The ends that lie among the wanted, in order of rank, by counting. */
static int sort_changes(struct groups *g)
{
	uint32_t *first = g->first_change;

	for (size_t i = 0; i < g->end_count; i++)
		if (g->ends[i] < g->wanted_count)
			first[g->ends[i] + 2]++;
	for (size_t i = 2; i < g->wanted_count + 2; i++)
		first[i] += first[i - 1];
	g->changes = calloc(first[g->wanted_count + 1] + 1, sizeof(*g->changes));
	if (!g->changes)
		return -ENOMEM;
	/* Each is moved on to where the next one begins. */
	for (size_t i = 0; i < g->count; i++)
		for (uint32_t e = 0; e < g->all[i].end_count; e++) {
			uint32_t end = g->ends[g->all[i].first_end + e];

			if (end < g->wanted_count)
				g->changes[first[end + 1]++] = (uint32_t)i * 2 + e % 2;
		}
	return 0;
}

static int make_room(struct making *m)
{
	struct groups *g = m->groups;
	size_t count = g->s->process_count;

	g->by_rank = calloc(count + 1, sizeof(*g->by_rank));
	g->first_change = calloc(count + 2, sizeof(*g->first_change));
	m->links = sets_links(g->s);
	/* One bit more than processes: where the last range ends. */
	m->words = count / 64 + 1;
	m->bits = calloc(LANES * m->words, sizeof(*m->bits));
	return g->by_rank && g->first_change && m->links && m->bits ? 0 : -ENOMEM;
}

int groups_make(const struct memoir_snapshot *snapshot, const uint8_t *wanted,
		struct groups *ret_groups)
{
	struct making m = { .groups = ret_groups, .wanted = wanted };
	int err;

	*ret_groups = (struct groups){ .s = snapshot };
	err = make_room(&m);
	if (!err)
		err = rank_processes(&m);
	if (!err)
		err = add_sets(&m);
	if (!err)
		err = sort_changes(ret_groups);
	free(m.links);
	free(m.bits);
	return err;
}

void groups_free(struct groups *groups)
{
	free(groups->by_rank);
	free(groups->all);
	free(groups->ends);
	free(groups->changes);
	free(groups->first_change);
	*groups = (struct groups){ 0 };
}

/* ---- rows ----------------------------------------------------------------------------------- */

void groups_next_row(const struct groups *groups, uint32_t rank, struct memoir_shared *edges)
{
	for (uint32_t i = groups->first_change[rank]; i < groups->first_change[rank + 1]; i++) {
		const struct group *group = &groups->all[groups->changes[i] / 2];
		const uint32_t *ends = &groups->ends[group->first_end];
		struct memoir_shared down = {
			-group->bytes.shared_bytes,
			-group->bytes.shared_anon_bytes,
			-group->bytes.shared_swap_bytes,
		};
		/* What has ended is taken off again. */
		bool ended = groups->changes[i] % 2;

		for (uint32_t e = 0; e < group->end_count; e++)
			shared_add(&edges[ends[e]], (e % 2 != 0) == ended ? &group->bytes : &down);
	}
}
