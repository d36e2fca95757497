// SPDX-License-Identifier: MIT
/*
 * Memory goes to the lowest node below which all are that map it: one pass over sets and objects for all
 * nodes. Sums nothing else.
 */
#include "analysis/name_freed.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/objects.h"
#include "analysis/sets.h"

#define SEVERAL MEMOIR_NONE      /* they have no node in common, or not all of them are meant */
#define NOBODY (MEMOIR_NONE - 1) /* none was seen yet */

static uint32_t parent_of(const struct name_freed *nodes, uint32_t node)
{
	return nodes->parent ? nodes->parent[node] : MEMOIR_NONE;
}

/* The lowest node that has both below it. Parents have lower numbers. */
static uint32_t common(const struct name_freed *nodes, uint32_t a, uint32_t b)
{
	if (a == NOBODY || b == NOBODY)
		return a == NOBODY ? b : a;
	while (a != b && a != SEVERAL && b != SEVERAL) {
		if (a > b)
			a = parent_of(nodes, a);
		else
			b = parent_of(nodes, b);
	}
	return a == b ? a : SEVERAL;
}

/* ---- anonymous memory ----------------------------------------------------------------------- */

static int add_sets(const struct memoir_snapshot *s, const struct name_freed *nodes)
{
	uint32_t *of_set = calloc(s->set_count + 1, sizeof(*of_set));

	if (!of_set)
		return -ENOMEM;
	for (size_t i = 0; i < s->set_count; i++) {
		const struct memoir_set *set = &s->sets[i];
		uint32_t above = set->parent == MEMOIR_NONE ? NOBODY : of_set[set->parent];

		of_set[i] = common(nodes, above, nodes->of_region[set->region]);
		if (of_set[i] != SEVERAL && !set->of_object)
			add_bytes(&nodes->freed_bytes[of_set[i]], set->freed_bytes);
	}
	free(of_set);
	return 0;
}

static void add_regions(const struct memoir_snapshot *s, const struct name_freed *nodes)
{
	for (size_t i = 0; i < s->region_count; i++) {
		uint32_t node = nodes->of_region[i];

		if (node == MEMOIR_NONE)
			continue;
		add_bytes(&nodes->freed_bytes[node], snapshot_regions(s)[i].own_anon_bytes);
		nodes->known[node] &=
			(snapshot_regions(s)[i].figures.known & (1u << MEMOIR_USS)) != 0;
	}
}

/* ---- objects -------------------------------------------------------------------------------- */

static void add_user(const struct memoir_snapshot *s, const struct name_freed *nodes,
		     uint32_t *of_object, uint32_t object, uint32_t node)
{
	const struct memoir_object *o = &s->objects[object];

	of_object[object] = common(nodes, of_object[object], node);
	/* Who has a udmabuf has the pages of what it is made of. */
	if (o->is_backed && o->backing < s->object_count)
		of_object[o->backing] = common(nodes, of_object[o->backing], node);
}

static void add_object(const struct memoir_snapshot *s, const struct name_freed *nodes,
		       const struct memoir_object *object, uint32_t node)
{
	bool dies = object->fate == MEMOIR_FATE_FREED && object->kind != MEMOIR_KIND_HUGETLB;

	if (object_hides_residency(object) ||
	    (object->fate == MEMOIR_FATE_UNKNOWN && object->mapped_bytes) ||
	    (dies && !s->holders_known && object_may_be_open(object)))
		nodes->known[node] = false;
	if (dies)
		add_bytes(&nodes->freed_bytes[node],
			  object->resident_known ? object_own_bytes(object) : object->mapped_bytes);
}

static int add_objects(const struct memoir_snapshot *s, const struct name_freed *nodes)
{
	const struct memoir_region *regions = snapshot_regions(s);
	uint32_t *of_object = malloc((s->object_count + 1) * sizeof(*of_object));

	if (!of_object)
		return -ENOMEM;
	for (size_t i = 0; i < s->object_count; i++)
		of_object[i] = NOBODY;
	for (size_t i = 0; i < s->region_count; i++)
		if (regions[i].object != MEMOIR_NONE)
			add_user(s, nodes, of_object, regions[i].object, nodes->of_region[i]);
	for (size_t i = 0; i < s->holder_count; i++)
		add_user(s, nodes, of_object, s->holders[i].object, SEVERAL);
	for (size_t i = 0; i < s->object_count; i++)
		if (of_object[i] < NOBODY)
			add_object(s, nodes, &s->objects[i], of_object[i]);
	free(of_object);
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void add_up(const struct name_freed *nodes)
{
	for (size_t i = nodes->count; i-- > 0;) {
		uint32_t parent = parent_of(nodes, (uint32_t)i);

		if (parent == MEMOIR_NONE)
			continue;
		add_bytes(&nodes->freed_bytes[parent], nodes->freed_bytes[i]);
		nodes->known[parent] &= nodes->known[i];
	}
}

int name_freed(const struct memoir_snapshot *snapshot, const struct name_freed *nodes)
{
	bool known = sharing_is_known(snapshot);
	int err = 0;

	for (size_t i = 0; i < nodes->count; i++) {
		nodes->freed_bytes[i] = 0;
		nodes->known[i] = known;
	}
	if (!known)
		return 0;
	err = add_sets(snapshot, nodes);
	if (!err)
		err = add_objects(snapshot, nodes);
	if (err)
		return err;
	add_regions(snapshot, nodes);
	add_up(nodes);
	return 0;
}
