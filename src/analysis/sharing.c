// SPDX-License-Identifier: MIT
/*
 * Who shares how much with whom, and what forked processes still have in common with their parents.
 */
#include <memoir/analysis.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/forks.h"
#include "analysis/groups.h"
#include "analysis/meant.h"
#include "analysis/sets.h"
#include "base/grow.h"

struct sharing {
	const struct memoir_snapshot *s;
	struct memoir_sharing *out;
	uint8_t *meant; /* of each process */
	struct groups groups;
	struct memoir_shared *edges; /* of the row at hand, as groups_next_row() has them */
	struct memoir_shared *row;   /* by rank: what its process has in common with each */
	/* Of each process that is meant: what it has itself, and of that its parent. */
	struct memoir_shared *own;
	struct memoir_shared *with_parent;
	uint32_t *parent;
};

static void free_sharing(struct sharing *sh)
{
	groups_free(&sh->groups);
	free(sh->meant);
	free(sh->edges);
	free(sh->row);
	free(sh->own);
	free(sh->with_parent);
	free(sh->parent);
}

static void take_parent(uint32_t process, uint32_t parent, uint32_t depth, void *arg)
{
	struct sharing *sh = arg;

	(void)depth;
	sh->parent[process] = parent;
}

static int make_room(struct sharing *sh)
{
	size_t count = sh->s->process_count + 1;

	sh->edges = calloc(count, sizeof(*sh->edges));
	sh->row = calloc(count, sizeof(*sh->row));
	sh->own = calloc(count, sizeof(*sh->own));
	sh->with_parent = calloc(count, sizeof(*sh->with_parent));
	sh->parent = calloc(count, sizeof(*sh->parent));
	sh->out->forks = calloc(count, sizeof(*sh->out->forks));
	if (!sh->edges || !sh->row || !sh->own || !sh->with_parent || !sh->parent ||
	    !sh->out->forks)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sh->parent[i] = MEMOIR_NONE;
	return forks_visit(sh->s, sh->meant, take_parent, sh);
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Begin with rank 0. */
static void restart_rows(struct sharing *sh)
{
	memset(sh->edges, 0, (sh->s->process_count + 1) * sizeof(*sh->edges));
}

static void next_row(struct sharing *sh, uint32_t rank)
{
	struct memoir_shared sum = { 0 };

	groups_next_row(&sh->groups, rank, sh->edges);
	for (size_t i = 0; i < sh->s->process_count; i++) {
		shared_add(&sum, &sh->edges[i]);
		sh->row[i] = sum;
	}
}

static bool is_shared(const struct memoir_shared *shared)
{
	return shared->shared_bytes || shared->shared_swap_bytes;
}

/* ---- the order of pairs --------------------------------------------------------------------- */

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)

struct sort_key {
	uint64_t bytes;
	uint32_t index;
};

/* One pass of a radix sort, downwards, that leaves equal ones in their order. */
static void sort_by_digit(const struct sort_key *from, struct sort_key *to, size_t count,
			  unsigned int shift)
{
	size_t next[DIGITS] = { 0 }, at = 0;

	for (size_t i = 0; i < count; i++)
		next[from[i].bytes >> shift & (DIGITS - 1)]++;
	for (size_t digit = DIGITS; digit-- > 0;) {
		size_t size = next[digit];

		next[digit] = at;
		at += size;
	}
	for (size_t i = 0; i < count; i++)
		to[next[from[i].bytes >> shift & (DIGITS - 1)]++] = from[i];
}

/* By descending bytes; as many processes make as many pairs, qsort() would take longest of all. */
static void sort_keys(struct sort_key *keys, struct sort_key *scratch, size_t count)
{
	struct sort_key *from = keys, *to = scratch;
	uint64_t most = 0;

	for (size_t i = 0; i < count; i++)
		most |= keys[i].bytes;
	for (unsigned int shift = 0; shift < 64 && most >> shift; shift += DIGIT_BITS) {
		struct sort_key *sorted = to;

		/* Sizes are whole pages. */
		if (!(most >> shift & (DIGITS - 1)))
			continue;
		sort_by_digit(from, to, count, shift);
		to = from;
		from = sorted;
	}
	if (from != keys)
		memcpy(keys, from, count * sizeof(*keys));
}

struct keys {
	struct sort_key *list;
	size_t count, room;
};

/* Those that are meant have the lowest ranks, so that a pair is met once: in the row of the lower. */
static int list_keys(struct sharing *sh, struct keys *keys)
{
	size_t processes = sh->s->process_count;

	restart_rows(sh);
	for (uint32_t a = 0; a < sh->groups.wanted_count; a++) {
		struct sort_key *list =
			grow(keys->list, &keys->room, keys->count + processes, sizeof(*list));

		if (!list || keys->count + processes > UINT32_MAX)
			return -ENOMEM;
		keys->list = list;
		next_row(sh, a);
		for (size_t b = a + 1; b < processes; b++)
			if (is_shared(&sh->row[b])) {
				list[keys->count] = (struct sort_key){ sh->row[b].shared_bytes,
								       (uint32_t)keys->count };
				keys->count++;
			}
	}
	return 0;
}

/* For each pair, in the order in which they are met, its place among all. NULL: no memory. */
static uint32_t *find_places(struct sharing *sh)
{
	struct keys keys = { 0 };
	int err = list_keys(sh, &keys);
	struct sort_key *scratch = err ? NULL : malloc((keys.count + 1) * sizeof(*scratch));
	uint32_t *places = scratch ? calloc(keys.count + 1, sizeof(*places)) : NULL;

	if (places) {
		sort_keys(keys.list, scratch, keys.count);
		for (size_t i = 0; i < keys.count; i++)
			places[keys.list[i].index] = (uint32_t)i;
		sh->out->pair_count = keys.count;
	}
	free(keys.list);
	free(scratch);
	return places;
}

/* ---- pairs ---------------------------------------------------------------------------------- */

static void note_parents(struct sharing *sh, uint32_t a, uint32_t b,
			 const struct memoir_shared *shared)
{
	if (sh->parent[a] == b)
		sh->with_parent[a] = *shared;
	if (sh->parent[b] == a)
		sh->with_parent[b] = *shared;
}

/* Rows are made anew, which is cheaper than keeping what they say until the order is known. */
static void put_pairs(struct sharing *sh, const uint32_t *places)
{
	const struct memoir_process *processes = sh->s->processes;
	size_t met = 0;

	restart_rows(sh);
	for (uint32_t rank = 0; rank < sh->groups.wanted_count; rank++) {
		uint32_t a = sh->groups.by_rank[rank];

		next_row(sh, rank);
		sh->own[a] = sh->row[rank];
		for (size_t i = rank + 1; i < sh->s->process_count; i++) {
			uint32_t b = sh->groups.by_rank[i];

			if (!is_shared(&sh->row[i]))
				continue;
			note_parents(sh, a, b, &sh->row[i]);
			sh->out->pairs[places[met++]] = (struct memoir_sharing_pair){
				.a = &processes[a < b ? a : b],
				.b = &processes[a < b ? b : a],
				.shared = sh->row[i],
			};
		}
	}
}

static int list_pairs(struct sharing *sh)
{
	int err = groups_make(sh->s, sh->meant, &sh->groups);
	uint32_t *places = err ? NULL : find_places(sh);

	if (places)
		sh->out->pairs = malloc((sh->out->pair_count + 1) * sizeof(*sh->out->pairs));
	if (!places || !sh->out->pairs)
		err = -ENOMEM;
	else
		put_pairs(sh, places);
	free(places);
	return err;
}

/* ---- forks ---------------------------------------------------------------------------------- */

/* What nobody shares. */
static void add_own_memory(struct sharing *sh)
{
	for (size_t i = 0; i < sh->s->region_count; i++) {
		const struct memoir_region *region = &snapshot_regions(sh->s)[i];
		struct memoir_shared *own = &sh->own[region->process];

		own->shared_anon_bytes += region->own_anon_bytes;
		own->shared_swap_bytes += region->own_swap_bytes;
	}
}

static uint64_t less(uint64_t bytes, uint64_t part_bytes)
{
	return bytes > part_bytes ? bytes - part_bytes : 0;
}

static void add_fork(uint32_t process, uint32_t parent, uint32_t depth, void *arg)
{
	struct sharing *sh = arg;
	const struct memoir_shared *own = &sh->own[process], *shared = &sh->with_parent[process];

	sh->out->forks[sh->out->fork_count++] = (struct memoir_fork){
		.process = &sh->s->processes[process],
		.parent = parent == MEMOIR_NONE ? NULL : &sh->s->processes[parent],
		.depth = depth,
		.shared = *shared,
		.own_bytes = less(own->shared_anon_bytes, shared->shared_anon_bytes),
		.own_swap_bytes = less(own->shared_swap_bytes, shared->shared_swap_bytes),
	};
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int list_processes(struct sharing *sh)
{
	struct memoir_sharing *out = sh->out;

	out->processes = calloc(sh->s->process_count + 1, sizeof(*out->processes));
	if (!out->processes)
		return -ENOMEM;
	for (size_t i = 0; i < sh->s->process_count; i++)
		if (sh->meant[i])
			out->processes[out->process_count++] = &sh->s->processes[i];
	return 0;
}

static int count_sharing(struct sharing *sh)
{
	int err = make_room(sh);

	if (!err)
		err = list_pairs(sh);
	if (err)
		return err;
	add_own_memory(sh);
	return forks_visit(sh->s, sh->meant, add_fork, sh);
}

int memoir_sharing(const struct memoir_snapshot *snapshot, const struct memoir_selection *selection,
		   struct memoir_sharing *ret_sharing)
{
	struct memoir_sharing out = { .known = sharing_is_known(snapshot) };
	struct sharing sh = { .s = snapshot, .out = &out };
	int err;

	sh.meant = meant_processes(snapshot, selection);
	err = sh.meant ? list_processes(&sh) : -ENOMEM;
	if (!err && out.known)
		err = count_sharing(&sh);
	free_sharing(&sh);
	if (err)
		memoir_sharing_free(&out);
	else
		*ret_sharing = out;
	return err;
}

void memoir_sharing_free(struct memoir_sharing *sharing)
{
	if (!sharing)
		return;
	free(sharing->processes);
	free(sharing->pairs);
	free(sharing->forks);
	*sharing = (struct memoir_sharing){ 0 };
}
