/* SPDX-License-Identifier: MIT */
/*
 * What a region goes by when memory is summed by name: its name, its file's path, or its kind.
 */
#ifndef MEMOIR_ANALYSIS_LABEL_H
#define MEMOIR_ANALYSIS_LABEL_H

#include <memoir/snapshot.h>

#include "base/u64map.h"

struct label {
	const char *name; /* the snapshot's, or static */
	enum memoir_kind kind;
	enum memoir_name_source source;
};

struct label label_of(const struct memoir_snapshot *snapshot, const struct memoir_region *region);

/* The same for an object that none of the regions in question maps. */
struct label label_of_object(const struct memoir_object *object);

struct label_entry {
	struct label label;
	uint64_t id;       /* memoir_name_id() of the name */
	uint32_t same_key; /* the next entry whose id and kind give the same key */
};

/* Labels with an index each, equal ones (of name and kind) once; all zero is empty. */
struct labels {
	struct label_entry *entries;
	size_t count, room;
	/* Names are mostly interned, so that equal pointers spare hashing the string. */
	struct u64map by_pointer;
	struct u64map by_key;
};

/* The index of a label, put in if it is new; U64MAP_NONE when out of memory. */
uint32_t labels_index(struct labels *labels, const struct label *label);

void labels_free(struct labels *labels);

#endif
