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

struct member {
	uint32_t process;
	uint32_t group;
};

struct making {
	struct groups *groups;
	struct set_link *links;
	uint64_t *bits;      /* the ranks of the set at hand */
	uint32_t *processes; /* the same, as processes */
	size_t process_count;
	struct member *members; /* those that are wanted, of all groups */
	size_t member_count, member_room;
};

static bool test_and_set(uint64_t *bits, uint32_t i)
{
	uint64_t bit = UINT64_C(1) << i % 64, was = bits[i / 64] & bit;

	bits[i / 64] |= bit;
	return was;
}

/* ---- one set -------------------------------------------------------------------------------- */

/* Its processes, each once; whether one is wanted. */
static bool list_processes(struct making *m, uint32_t set)
{
	bool wanted = false;

	m->process_count = 0;
	for (uint32_t at = set; at != MEMOIR_NONE; at = m->links[at].parent) {
		uint32_t process = m->links[at].process;

		if (test_and_set(m->bits, m->groups->rank[process]))
			continue;
		m->processes[m->process_count++] = process;
		wanted |= m->groups->wanted[process];
	}
	return wanted;
}

static void forget_processes(struct making *m)
{
	for (size_t i = 0; i < m->process_count; i++)
		m->bits[m->groups->rank[m->processes[i]] / 64] = 0;
}

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
static int add_ends(struct making *m)
{
	uint64_t before = 0;
	int err = 0;

	for (size_t word = 0; word <= m->groups->s->process_count / 64 && !err; word++) {
		uint64_t bits = m->bits[word], changes = bits ^ (bits << 1 | before);

		for (; changes && !err; changes &= changes - 1)
			err = add_end(m->groups,
				      (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(changes));
		before = bits >> 63;
	}
	return err;
}

static int add_members(struct making *m)
{
	struct member *members = grow(m->members, &m->member_room,
				      m->member_count + m->process_count, sizeof(*members));

	if (!members)
		return -ENOMEM;
	m->members = members;
	for (size_t i = 0; i < m->process_count; i++)
		if (m->groups->wanted[m->processes[i]])
			members[m->member_count++] =
				(struct member){ m->processes[i], (uint32_t)m->groups->count };
	return 0;
}

static int add_group(struct making *m, const struct memoir_set *set)
{
	struct groups *g = m->groups;
	size_t first_end = g->end_count;
	struct group *all = grow(g->all, &g->room, g->count + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	g->all = all;
	if (add_members(m) < 0 || add_ends(m) < 0)
		return -ENOMEM;
	all[g->count++] = (struct group){
		.bytes = { .shared_bytes = set->ram_bytes,
			   .shared_anon_bytes = set->of_object ? 0 : set->ram_bytes,
			   .shared_swap_bytes = set->swap_bytes },
		.first_end = (uint32_t)first_end,
		.end_count = (uint32_t)(g->end_count - first_end),
	};
	return 0;
}

static int add_sets(struct making *m)
{
	const struct memoir_snapshot *s = m->groups->s;
	int err = 0;

	for (uint32_t i = 0; i < s->set_count && !err; i++) {
		const struct memoir_set *set = &s->sets[i];

		if (!set->ram_bytes && !set->swap_bytes)
			continue;
		if (list_processes(m, i))
			err = add_group(m, set);
		forget_processes(m);
	}
	return err;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* Put the groups in the order of their processes, by counting. */
static int sort_members(struct making *m)
{
	struct groups *g = m->groups;
	size_t processes = g->s->process_count;

	g->of_process = calloc(m->member_count + 1, sizeof(*g->of_process));
	g->first = calloc(processes + 2, sizeof(*g->first));
	if (!g->of_process || !g->first)
		return -ENOMEM;
	for (size_t i = 0; i < m->member_count; i++)
		g->first[m->members[i].process + 2]++;
	for (size_t i = 2; i < processes + 2; i++)
		g->first[i] += g->first[i - 1];
	/* Each is moved on to where the next one begins. */
	for (size_t i = 0; i < m->member_count; i++)
		g->of_process[g->first[m->members[i].process + 1]++] = m->members[i].group;
	return 0;
}

static int make_room(struct making *m)
{
	struct groups *g = m->groups;
	size_t count = g->s->process_count + 1;

	g->rank = forks_rank(g->s);
	g->by_rank = calloc(count, sizeof(*g->by_rank));
	m->links = sets_links(g->s);
	m->bits = calloc(count / 64 + 1, sizeof(*m->bits));
	m->processes = calloc(count, sizeof(*m->processes));
	if (!g->rank || !g->by_rank || !m->links || !m->bits || !m->processes)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->s->process_count; i++)
		g->by_rank[g->rank[i]] = i;
	return 0;
}

int groups_make(const struct memoir_snapshot *snapshot, const uint8_t *wanted,
		struct groups *ret_groups)
{
	struct making m = { .groups = ret_groups };
	int err;

	*ret_groups = (struct groups){ .s = snapshot, .wanted = wanted };
	err = make_room(&m);
	if (!err)
		err = add_sets(&m);
	if (!err)
		err = sort_members(&m);
	free(m.links);
	free(m.bits);
	free(m.processes);
	free(m.members);
	return err;
}

void groups_free(struct groups *groups)
{
	free(groups->rank);
	free(groups->by_rank);
	free(groups->all);
	free(groups->ends);
	free(groups->of_process);
	free(groups->first);
	*groups = (struct groups){ 0 };
}

/* ---- a row ---------------------------------------------------------------------------------- */

static void add(struct memoir_shared *sum, const struct memoir_shared *bytes)
{
	sum->shared_bytes += bytes->shared_bytes;
	sum->shared_anon_bytes += bytes->shared_anon_bytes;
	sum->shared_swap_bytes += bytes->shared_swap_bytes;
}

/* What is below zero meanwhile wraps around, and back. */
static void take_off(struct memoir_shared *sum, const struct memoir_shared *bytes)
{
	sum->shared_bytes -= bytes->shared_bytes;
	sum->shared_anon_bytes -= bytes->shared_anon_bytes;
	sum->shared_swap_bytes -= bytes->shared_swap_bytes;
}

void groups_row(const struct groups *groups, uint32_t process, struct memoir_shared *row)
{
	memset(row, 0, (groups->s->process_count + 1) * sizeof(*row));
	for (uint32_t i = groups->first[process]; i < groups->first[process + 1]; i++) {
		const struct group *group = &groups->all[groups->of_process[i]];
		const uint32_t *ends = &groups->ends[group->first_end];

		for (uint32_t e = 0; e < group->end_count; e += 2) {
			add(&row[ends[e]], &group->bytes);
			take_off(&row[ends[e + 1]], &group->bytes);
		}
	}
	for (size_t i = 1; i < groups->s->process_count; i++)
		add(&row[i], &row[i - 1]);
}
