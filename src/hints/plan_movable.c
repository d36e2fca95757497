// SPDX-License-Identifier: MIT
/*
 * What of a region a hint can move: pages that are mapped once, by the snapshot's figures. Reads no kernel.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/sets.h"
#include "hints/plan.h"

int movable_prepare(struct planning *p)
{
	const struct memoir_snapshot *s = p->snap;

	p->anon_alone = calloc(s->region_count + 1, sizeof(*p->anon_alone));
	p->object_alone = sets_rest_of_regions(s);
	if (!p->anon_alone || !p->object_alone)
		return -ENOMEM;
	for (size_t i = 0; i < s->set_count; i++) {
		const struct memoir_set *set = &s->sets[i];

		if (set->members != 1)
			continue;
		/* A folio of which another maps a part stays as a whole. */
		if (set->of_object)
			p->object_alone[set->region] += set->ram_bytes;
		else
			p->anon_alone[set->region] += least(set->ram_bytes, set->freed_bytes);
	}
	return 0;
}

static uint64_t figure(const struct memoir_region *region, enum memoir_figure which)
{
	return region->figures.known & (1u << which) ? region->figures.bytes[which] : 0;
}

void movable_of(const struct planning *p, uint32_t index, struct movable *ret_movable)
{
	const struct memoir_region *region = &snapshot_regions(p->snap)[index];
	uint64_t uss = figure(region, MEMOIR_USS);

	ret_movable->object_to_swap = kind_is_shmem(region->kind);
	if (sharing_is_known(p->snap)) {
		ret_movable->anon_bytes = region->own_anon_bytes + p->anon_alone[index];
		ret_movable->object_bytes = p->object_alone[index];
	} else {
		/* Of a private file mapping it is not told which part is mapped once. */
		ret_movable->anon_bytes = least(uss, figure(region, MEMOIR_ANON));
		ret_movable->object_bytes = uss - ret_movable->anon_bytes;
	}
}
