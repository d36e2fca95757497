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
	struct memoir_shared *row;
	/* Of each process that is meant: what it has itself, and of that its parent. */
	struct memoir_shared *own;
	struct memoir_shared *with_parent;
	uint32_t *parent;
	size_t pair_room;
};

static void free_sharing(struct sharing *sh)
{
	groups_free(&sh->groups);
	free(sh->meant);
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

	sh->row = calloc(count, sizeof(*sh->row));
	sh->own = calloc(count, sizeof(*sh->own));
	sh->with_parent = calloc(count, sizeof(*sh->with_parent));
	sh->parent = calloc(count, sizeof(*sh->parent));
	sh->out->forks = calloc(count, sizeof(*sh->out->forks));
	if (!sh->row || !sh->own || !sh->with_parent || !sh->parent || !sh->out->forks)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sh->parent[i] = MEMOIR_NONE;
	return forks_visit(sh->s, sh->meant, take_parent, sh);
}

/* ---- pairs ---------------------------------------------------------------------------------- */

static int add_pair(struct sharing *sh, uint32_t a, uint32_t b, const struct memoir_shared *shared)
{
	struct memoir_sharing *out = sh->out;
	struct memoir_sharing_pair *pairs =
		grow(out->pairs, &sh->pair_room, out->pair_count + 1, sizeof(*pairs));

	if (!pairs)
		return -ENOMEM;
	out->pairs = pairs;
	pairs[out->pair_count++] = (struct memoir_sharing_pair){
		.a = &sh->s->processes[a < b ? a : b],
		.b = &sh->s->processes[a < b ? b : a],
		.shared = *shared,
	};
	return 0;
}

static int take_row(struct sharing *sh, uint32_t a)
{
	uint32_t parent = sh->parent[a];
	int err = 0;

	groups_row(&sh->groups, a, sh->row);
	sh->own[a] = sh->row[sh->groups.rank[a]];
	if (parent != MEMOIR_NONE)
		sh->with_parent[a] = sh->row[sh->groups.rank[parent]];
	for (size_t i = 0; i < sh->s->process_count && !err; i++) {
		const struct memoir_shared *shared = &sh->row[i];
		uint32_t b = sh->groups.by_rank[i];

		if (!shared->shared_bytes && !shared->shared_swap_bytes)
			continue;
		/* Of two that are both meant, once. */
		if (a < b || (a != b && !sh->meant[b]))
			err = add_pair(sh, a, b, shared);
	}
	return err;
}

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

/* Put each pair where its key stands, going round the circles in which they change places. */
static void move_pairs(struct memoir_sharing_pair *pairs, struct sort_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct memoir_sharing_pair first = pairs[i];
		size_t at = i;

		while (keys[at].index != i) {
			size_t from = keys[at].index;

			pairs[at] = pairs[from];
			keys[at].index = (uint32_t)at;
			at = from;
		}
		pairs[at] = first;
		keys[at].index = (uint32_t)at;
	}
}

static int sort_pairs(struct memoir_sharing *out)
{
	size_t count = out->pair_count;
	struct sort_key *keys = calloc(count + 1, sizeof(*keys));
	struct sort_key *scratch = calloc(count + 1, sizeof(*scratch));
	bool room = keys && scratch;

	for (size_t i = 0; room && i < count; i++)
		keys[i] = (struct sort_key){ out->pairs[i].shared.shared_bytes, (uint32_t)i };
	if (room) {
		sort_keys(keys, scratch, count);
		move_pairs(out->pairs, keys, count);
	}
	free(keys);
	free(scratch);
	return room ? 0 : -ENOMEM;
}

static int list_pairs(struct sharing *sh)
{
	int err = groups_make(sh->s, sh->meant, &sh->groups);

	for (uint32_t i = 0; i < sh->s->process_count && !err; i++)
		if (sh->meant[i])
			err = take_row(sh, i);
	return err ? err : sort_pairs(sh->out);
}

/* ---- forks ---------------------------------------------------------------------------------- */

/* What nobody shares. */
static void add_own_memory(struct sharing *sh)
{
	for (size_t i = 0; i < sh->s->region_count; i++) {
		const struct memoir_region *region = &sh->s->regions[i];
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
