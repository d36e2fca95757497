/* SPDX-License-Identifier: MIT */
/*
 * A world: what mkworld made of a seed, as the list of its address spaces. It says nothing of their
 * memory.
 */
#ifndef WORLDS_WORLD_H
#define WORLDS_WORLD_H

#include <stdint.h>
#include <sys/types.h>

/* Sets of address spaces are masks of 64 bits. */
#define SPACES_MAX 64

struct space {
	pid_t pid;
	pid_t peer; /* another process with the same memory, or 0 */
};

struct world {
	uint64_t seed;
	pid_t maker;
	int input; /* the maker ends all when this closes */
	struct space spaces[SPACES_MAX];
	uint32_t space_count;
};

/* 0, or -1 with nothing left behind; says why on standard output, as a comment of TAP. */
int world_start(struct world *world, const char *mkworld, uint64_t seed);
void world_end(struct world *world);

/* The address space of a process, or UINT32_MAX. */
uint32_t world_space_of(const struct world *world, pid_t pid);

#endif
