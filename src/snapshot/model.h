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
#include "snapshot/region.h"

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
	struct region_split *splits;
	size_t count, room;
	struct region_part *parts;
	size_t part_count, part_room;
	struct memoir_region *rows;
};

/* A process that maps or holds an object. */
struct use {
	uint32_t object, process;
};

/*
 * Regions as they were captured, in the order of their rows; those of one process stand together, by address. They
 * stay, so that who asks for little need not have rows made.
 */
struct captured {
	struct region *regions;
	size_t count, room;
	struct memoir_figures
		*told; /* of each, where smaps tells them and nothing is counted; else NULL */
	size_t told_room;
	struct use *uses; /* who maps what is not merely cache (figures.c); NULL: mappings tell */
	size_t use_count;
	bool counted;                /* figures are known, of processes that are asked for */
	struct region_splits splits; /* by names */
	uint32_t *row_of;            /* of each the index of its first row; NULL: its own */
	unsigned int threads;        /* that make rows */
	bool rows_left;              /* to be made */
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
	struct memoir_region *regions; /* rows: see snapshot_regions() */
	size_t region_count, region_room;
	struct captured captured; /* what they are made of; nothing where they were loaded */
	struct memoir_object *objects;
	size_t object_count, object_room;
	struct memoir_set *sets; /* parents before children */
	size_t set_count, set_room;
	struct memoir_holder *holders; /* those of one object stand together */
	size_t holder_count, holder_room;
	struct memoir_in_flight *in_flight;
	size_t in_flight_count, in_flight_room;
	bool holders_known, sets_known, buffers_known;
	bool without_regions; /* nobody sees them */
	const char **notes;
	size_t note_count, note_room;
	struct meminfo_line *meminfo;
	size_t meminfo_count, meminfo_room;
};

/* An empty snapshot, or NULL when out of memory. */
struct memoir_snapshot *snapshot_new(void);

/* Append one zeroed element and return it; NULL when out of memory. Moves the array. */
struct memoir_process *snapshot_add_process(struct memoir_snapshot *s);
struct memoir_region *snapshot_add_region(struct memoir_snapshot *s); /* a row */
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

/* Make rows of what was captured, for which there is room; all else goes by their indices already. */
void snapshot_make_rows(struct memoir_snapshot *s);

/*
 * The regions of a snapshot that is handed out, as many as region_count says. They are made at the first look, which
 * may be that of several threads at once: not all look, and more memory is written for that than for counting them.
 */
static inline const struct memoir_region *snapshot_regions(const struct memoir_snapshot *s)
{
	if (__atomic_load_n(&s->captured.rows_left, __ATOMIC_ACQUIRE))
		snapshot_make_rows((struct memoir_snapshot *)s);
	return s->regions;
}

/* Who maps what where, without asking for rows: the i-th mapping, of names' parts the whole or each. */
struct mapping {
	uint32_t process;
	uint32_t object; /* or MEMOIR_NONE */
	uint64_t start, end;
	const char *path;
};

static inline size_t snapshot_mapping_count(const struct memoir_snapshot *s)
{
	return s->captured.count ? s->captured.count : s->region_count;
}

static inline struct mapping snapshot_mapping(const struct memoir_snapshot *s, size_t i)
{
	if (s->captured.count) {
		const struct region *region = &s->captured.regions[i];

		return (struct mapping){ region->process, region->object, region->start,
					 region->end, region->path };
	}
	const struct memoir_region *row = &s->regions[i];

	return (struct mapping){ row->process, row->object, row->start, row->end, row->path };
}

void captured_free(struct captured *captured);
/* The row of a region but for its figures, or of its i-th part. */
struct memoir_region captured_row(const struct region *region);
struct memoir_region captured_part(const struct captured *captured,
				   const struct region_split *split, uint32_t i);
/* Put splits in the order of their regions; and then find that of a region, or NULL. */
void captured_sort_splits(struct captured *captured);
struct region_split *captured_split(const struct captured *captured, uint32_t region);

/*
 * Add those that are known. A loaded snapshot may hold any numbers: what does not fit stays at the largest there is.
 * Without a branch, and here, as there is one for each region of the machine.
 */
static inline void figures_add(struct memoir_figures *sum, const struct memoir_figures *addend)
{
#pragma GCC unroll 16
	for (unsigned int i = 0; i < MEMOIR_FIGURES; i++) {
		uint64_t more = addend->known & (1u << i) ? addend->bytes[i] : 0;
		uint64_t bytes = sum->bytes[i] + more;

		sum->bytes[i] = bytes | -(uint64_t)(bytes < more);
	}
	sum->known |= addend->known;
}

/* Set every process's figures to the sum of its regions. */
void snapshot_sum_processes(struct memoir_snapshot *s);
/* The same step by step: first this, then the figures of each region. */
void snapshot_begin_sums(struct memoir_snapshot *s);

#endif
