/* SPDX-License-Identifier: MIT */
/*
 * The inside of a snapshot: the arrays behind the public header, and how they are filled.
 * Only capture and the store may write; once handed out a snapshot is never changed.
 */
#ifndef MEMOIR_SNAPSHOT_MODEL_H
#define MEMOIR_SNAPSHOT_MODEL_H

#include <string.h>

#include <memoir/snapshot.h>

#include "base/strpool.h"

struct meminfo_line {
	const char *key;
	uint64_t bytes; /* or a plain count, for the HugePages_ lines */
};

/* A part of a region: up to where the next one begins, or the region ends. */
struct region_part {
	uint64_t start;
	const char *name; /* NULL: none */
	uint64_t
		own_bytes; /* in RAM and nobody else's, and all that it has; or its figures are a row */
};

/* A region that names split. Parts are all of it, and no neighbours have the same name. */
struct region_split {
	uint32_t region;
	uint32_t first, count; /* of its parts */
	uint32_t first_row;    /* that of its first part, or MEMOIR_NONE: they have none */
	uint8_t source;        /* of names */
	bool uncounted;        /* what its parts have; while that is captured */
};

/* By region. Few bytes a part, as there may be many; rows only of what is shared, swapped or huge. */
struct region_splits {
	size_t regions; /* that there are as yet, where region_count says how many there will be */
	struct region_split *splits;
	size_t count, room;
	struct region_part *parts;
	size_t part_count, part_room;
	struct memoir_region *rows;
};

struct memoir_snapshot {
	uint64_t taken_ns;
	enum memoir_engine engine;
	bool partial;
	size_t vanished;
	const char *scope; /* which processes were asked for; "": some, not said which; NULL: all */
	struct strpool *strings; /* owns every string below */
	struct memoir_process *processes;
	size_t process_count, process_room;
	struct memoir_region *regions; /* those of one process stand together, by address */
	size_t region_count, region_room;
	struct region_splits splits; /* until parts are regions: see snapshot_regions() */
	struct memoir_object *objects;
	size_t object_count, object_room;
	struct memoir_set *sets; /* parents before children */
	size_t set_count, set_room;
	struct memoir_holder *holders; /* those of one object stand together */
	size_t holder_count, holder_room;
	struct memoir_in_flight *in_flight;
	size_t in_flight_count, in_flight_room;
	bool holders_known, sets_known, buffers_known;
	const char **notes;
	size_t note_count, note_room;
	struct meminfo_line *meminfo;
	size_t meminfo_count, meminfo_room;
};

/* An empty snapshot, or NULL when out of memory. */
struct memoir_snapshot *snapshot_new(void);

/* Append one zeroed element and return it; NULL when out of memory. Moves the array. */
struct memoir_process *snapshot_add_process(struct memoir_snapshot *s);
struct memoir_region *snapshot_add_region(struct memoir_snapshot *s);
struct memoir_object *snapshot_add_object(struct memoir_snapshot *s);
struct memoir_set *snapshot_add_set(struct memoir_snapshot *s);
struct memoir_holder *snapshot_add_holder(struct memoir_snapshot *s);
struct memoir_in_flight *snapshot_add_in_flight(struct memoir_snapshot *s);
int snapshot_add_meminfo(struct memoir_snapshot *s, const char *key, uint64_t bytes);

/* A sentence about what could not be read; also marks the snapshot partial. */
int snapshot_note(struct memoir_snapshot *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The interned copy of a string, or NULL (also for NULL). */
const char *snapshot_string(struct memoir_snapshot *s, const char *string);
const char *snapshot_string_n(struct memoir_snapshot *s, const char *bytes, size_t len);

/* Make parts regions in their place, for which there is room; all else goes by their indices already. */
void snapshot_make_rows(struct memoir_snapshot *s);

/*
 * The regions of a snapshot that is handed out, as many as region_count says. Parts become regions at the first
 * look, as not all look, and far more memory is written for that than for counting them.
 */
static inline const struct memoir_region *snapshot_regions(const struct memoir_snapshot *s)
{
	if (s->splits.count)
		snapshot_make_rows((struct memoir_snapshot *)s);
	return s->regions;
}

/* A region without permissions is a guard where there is nothing in it. */
static inline bool region_may_be_guard(const struct memoir_region *region)
{
	return region->kind == MEMOIR_KIND_ANON && strncmp(region->perms, "---", 3) == 0;
}

void region_splits_free(struct region_splits *splits);
/* The i-th part of a region as it were one, but for its figures. */
struct memoir_region region_split_part(const struct region_splits *splits,
				       const struct region_split *split, uint32_t i,
				       const struct memoir_region *whole);

/* Add those that are known. */
void figures_add(struct memoir_figures *sum, const struct memoir_figures *addend);

/* Set every process's figures to the sum of its regions. */
void snapshot_sum_processes(struct memoir_snapshot *s);
/* The same step by step: first this, then each region once, when its figures are there. */
void snapshot_begin_sums(struct memoir_snapshot *s);
void snapshot_sum_region(struct memoir_snapshot *s, const struct memoir_region *region);

#endif
