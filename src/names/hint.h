/* SPDX-License-Identifier: MIT */
/*
 * What was found for an address when it was last looked up: two places for each of 512 sets of addresses, which
 * later ones take over. It is a guess: whoever asks has to see whether it is right still.
 */
#ifndef MEMOIR_NAMES_HINT_H
#define MEMOIR_NAMES_HINT_H

#include <stdint.h>

#define HINT_BITS 9u

/* Each is the upper half of the address's hash, and what was found in the lower one. */
struct hints {
	uint64_t sets[1u << HINT_BITS][2];
};

/* What is in one page comes to lie apart, and so do pages in a row. */
static inline uint64_t hint_hash(uint64_t addr)
{
	return (addr >> 12 | addr << 52) * 0x9e3779b97f4a7c15ull;
}

/* 0: nothing is known, or 0. */
static inline uint32_t hint_look(const struct hints *hints, uint64_t addr)
{
	uint64_t hash = hint_hash(addr);
	const uint64_t *set = hints->sets[hash >> (64 - HINT_BITS)];

	if ((set[0] ^ hash) >> 32 == 0)
		return (uint32_t)set[0];
	return (set[1] ^ hash) >> 32 == 0 ? (uint32_t)set[1] : 0;
}

static inline void hint_keep(struct hints *hints, uint64_t addr, uint32_t found)
{
	uint64_t hash = hint_hash(addr);
	uint64_t *set = hints->sets[hash >> (64 - HINT_BITS)];

	if ((set[0] ^ hash) >> 32)
		set[1] = set[0];
	set[0] = hash >> 32 << 32 | found;
}

#endif
