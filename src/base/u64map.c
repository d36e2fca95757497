// SPDX-License-Identifier: MIT
/*
 * Open addressing with linear probing, at most half full; entries are never removed.
 */
#include "base/u64map.h"

#include <errno.h>
#include <stdlib.h>

static size_t slot_of(const struct u64map *map, uint64_t key)
{
	size_t i = (key * 0x9E3779B97F4A7C15ull) >> 32 & (map->slot_count - 1);

	while (map->slots[i].value != U64MAP_NONE && map->slots[i].key != key)
		i = (i + 1) & (map->slot_count - 1);
	return i;
}

uint32_t u64map_get(const struct u64map *map, uint64_t key)
{
	return map->slot_count ? map->slots[slot_of(map, key)].value : U64MAP_NONE;
}

static int widen(struct u64map *map)
{
	struct u64map next = { .slot_count = map->slot_count ? map->slot_count * 2 : 64 };

	next.slots = malloc(next.slot_count * sizeof(*next.slots));
	if (!next.slots)
		return -ENOMEM;
	for (size_t i = 0; i < next.slot_count; i++)
		next.slots[i] = (struct u64map_slot){ 0, U64MAP_NONE };
	for (size_t i = 0; i < map->slot_count; i++)
		if (map->slots[i].value != U64MAP_NONE)
			next.slots[slot_of(&next, map->slots[i].key)] = map->slots[i];
	next.used = map->used;
	free(map->slots);
	*map = next;
	return 0;
}

int u64map_set(struct u64map *map, uint64_t key, uint32_t value)
{
	if ((map->used + 1) * 2 > map->slot_count && widen(map) < 0)
		return -ENOMEM;
	struct u64map_slot *slot = &map->slots[slot_of(map, key)];

	if (slot->value == U64MAP_NONE)
		map->used++;
	*slot = (struct u64map_slot){ key, value };
	return 0;
}

void u64map_free(struct u64map *map)
{
	free(map->slots);
	*map = (struct u64map){ 0 };
}
