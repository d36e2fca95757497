// SPDX-License-Identifier: MIT
/*
 * The tree of forks, gone through without recursion, as it may be as deep as there are processes.
 */
#include "analysis/forks.h"

#include <errno.h>
#include <stdlib.h>

#include "base/u64map.h"

struct tree {
	const struct memoir_snapshot *s;
	const uint8_t *wanted;
	uint32_t *parent;
	uint32_t *first_child;
	uint32_t *next_sibling;
};

static bool is_wanted(const struct tree *tree, uint32_t i)
{
	return !tree->wanted || tree->wanted[i];
}

static bool stands_below(const struct tree *tree, uint32_t i)
{
	return tree->parent[i] != MEMOIR_NONE && is_wanted(tree, tree->parent[i]);
}

static int index_pids(const struct memoir_snapshot *s, struct u64map *by_pid)
{
	int err = 0;

	for (uint32_t i = 0; i < s->process_count && !err; i++) {
		err = u64map_set(by_pid, (uint64_t)s->processes[i].pid, i);
		for (uint32_t p = 0; p < s->processes[i].peer_count && !err; p++)
			err = u64map_set(by_pid, (uint64_t)s->processes[i].peers[p], i);
	}
	return err;
}

static int find_parents(struct tree *tree)
{
	struct u64map by_pid = { 0 };
	int err = index_pids(tree->s, &by_pid);

	for (uint32_t i = 0; i < tree->s->process_count && !err; i++) {
		uint32_t parent = u64map_get(&by_pid, (uint64_t)tree->s->processes[i].ppid);

		tree->parent[i] = parent == i ? MEMOIR_NONE : parent;
	}
	u64map_free(&by_pid);
	return err;
}

static void link_children(struct tree *tree)
{
	uint32_t count = (uint32_t)tree->s->process_count;

	for (uint32_t i = 0; i < count; i++)
		tree->first_child[i] = MEMOIR_NONE;
	/* From the last on, so that each list begins with its first. */
	for (uint32_t i = count; i-- > 0;)
		if (is_wanted(tree, i) && stands_below(tree, i)) {
			tree->next_sibling[i] = tree->first_child[tree->parent[i]];
			tree->first_child[tree->parent[i]] = i;
		}
}

static void visit_from(const struct tree *tree, uint32_t root,
		       void (*visit)(uint32_t process, uint32_t parent, uint32_t depth, void *arg),
		       void *arg)
{
	uint32_t at = root, depth = 0;

	for (;;) {
		visit(at, tree->parent[at], depth, arg);
		if (tree->first_child[at] != MEMOIR_NONE) {
			at = tree->first_child[at];
			depth++;
			continue;
		}
		while (at != root && tree->next_sibling[at] == MEMOIR_NONE) {
			at = tree->parent[at];
			depth--;
		}
		if (at == root)
			return;
		at = tree->next_sibling[at];
	}
}

int forks_visit(const struct memoir_snapshot *snapshot, const uint8_t *wanted,
		void (*visit)(uint32_t process, uint32_t parent, uint32_t depth, void *arg),
		void *arg)
{
	size_t count = snapshot->process_count + 1;
	struct tree tree = {
		.s = snapshot,
		.wanted = wanted,
		.parent = calloc(count, sizeof(*tree.parent)),
		.first_child = calloc(count, sizeof(*tree.first_child)),
		.next_sibling = calloc(count, sizeof(*tree.next_sibling)),
	};
	int err = -ENOMEM;

	if (tree.parent && tree.first_child && tree.next_sibling)
		err = find_parents(&tree);
	if (!err)
		link_children(&tree);
	for (uint32_t i = 0; i < snapshot->process_count && !err; i++)
		if (is_wanted(&tree, i) && !stands_below(&tree, i))
			visit_from(&tree, i, visit, arg);
	free(tree.parent);
	free(tree.first_child);
	free(tree.next_sibling);
	return err;
}

struct ranking {
	uint32_t *rank;
	uint32_t next;
};

static void take_rank(uint32_t process, uint32_t parent, uint32_t depth, void *arg)
{
	struct ranking *ranking = arg;

	(void)parent, (void)depth;
	ranking->rank[process] = ranking->next++;
}

uint32_t *forks_rank(const struct memoir_snapshot *snapshot)
{
	struct ranking ranking = { .rank = calloc(snapshot->process_count + 1, sizeof(uint32_t)) };
	int err = -ENOMEM;

	for (size_t i = 0; ranking.rank && i < snapshot->process_count; i++)
		ranking.rank[i] = MEMOIR_NONE;
	if (ranking.rank)
		err = forks_visit(snapshot, NULL, take_rank, &ranking);
	for (size_t i = 0; !err && i < snapshot->process_count; i++)
		if (ranking.rank[i] == MEMOIR_NONE)
			ranking.rank[i] = ranking.next++;
	if (!err)
		return ranking.rank;
	free(ranking.rank);
	return NULL;
}
