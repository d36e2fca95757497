/* SPDX-License-Identifier: MIT */
/*
 * What a snapshot says of a world against what is true of it. Each function returns how many
 * differences it found, and prints the first of them as comments of TAP.
 */
#ifndef WORLDS_COMPARE_H
#define WORLDS_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include <memoir/memoir.h>
#include <memoir/snapshot.h>

#include "truth.h"
#include "world.h"

struct look {
	const struct world *world;
	const struct truth *truth;
	const struct memoir_snapshot *snapshot;
	const struct memoir_snapshot *sums; /* the same moment, captured without regions */
	struct memoir *memoir;
	size_t who_pages;     /* so many are drawn; all, if there are no more */
	uint32_t *own_region; /* of a snapshot's region: the truth's, or TRUTH_NONE */
};

/* Finds the world's regions in the snapshot: both have to have the same ones. Owns own_region. */
size_t look_init(struct look *look);
void look_free(struct look *look);

/* kpagecount of every page agrees with the number of mappings found. */
size_t compare_counts(const struct look *look);
/* The same pages in the same sets, of the same kind. */
size_t compare_sets(const struct look *look);
/* What would come back, of each process alone and of subsets drawn from the world's seed. */
size_t compare_whatif(const struct look *look);
/* What every two processes share. */
size_t compare_sharing(const struct look *look);
/* What sums are without regions. */
size_t compare_sums(const struct look *look);
/* Who maps a page, asked by address and by frame. */
size_t compare_who(const struct look *look);

/* Prints a difference unless enough of them are printed already. */
__attribute__((format(printf, 2, 3))) void differ(size_t *count, const char *format, ...);
/* One generator for all choices. */
uint64_t look_draw(uint64_t *state);
/* Prints the pid and the range of one mapping. */
void print_region(const struct look *look, uint32_t region);

#endif
