/* SPDX-License-Identifier: MIT */
/*
 * A map from 64-bit keys to 32-bit values with no allocation per entry, for the capture's hot paths.
 */
#ifndef MEMOIR_BASE_U64MAP_H
#define MEMOIR_BASE_U64MAP_H

#include <stddef.h>
#include <stdint.h>

#define U64MAP_NONE UINT32_MAX

struct u64map_slot {
	uint64_t key;
	uint32_t value; /* U64MAP_NONE: empty */
};

/* All zero is an empty map. */
struct u64map {
	struct u64map_slot *slots;
	size_t slot_count; /* a power of two */
	size_t used;
};

/* The value, or U64MAP_NONE. */
uint32_t u64map_get(const struct u64map *map, uint64_t key);

/* Set a value other than U64MAP_NONE. 0 or -ENOMEM. */
int u64map_set(struct u64map *map, uint64_t key, uint32_t value);

void u64map_free(struct u64map *map);

#endif
