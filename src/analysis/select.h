/* SPDX-License-Identifier: MIT */
/*
 * The inside of a selection: what the parser makes and the matcher reads.
 */
#ifndef MEMOIR_ANALYSIS_SELECT_H
#define MEMOIR_ANALYSIS_SELECT_H

#include <memoir/select.h>

#include "base/u64map.h"

enum selector_key {
	KEY_PID,
	KEY_COMM,
	KEY_USER,
	KEY_CGROUP,
	KEY_NAME,
	KEY_PATH,
	KEY_KIND,
	KEY_OBJECT,
	KEY_RANGE, /* PID:START-END, no word */
};

/* One argument: any of its globs may match. */
struct selector {
	enum selector_key key;
	char **globs;
	size_t glob_count;
	size_t glob_room;
	pid_t pid;            /* KEY_RANGE */
	uint64_t start, end;  /* KEY_RANGE */
	struct u64map *users; /* KEY_USER: uid → 0 or 1; asking for names is slow */
};

struct memoir_selection {
	struct selector *selectors;
	size_t count;
	const char *(*user_name)(uid_t uid, char buf[MEMOIR_USER_NAME_MAX],
				 void *arg); /* or NULL */
	void *user_arg;
};

/* Whether a key speaks of regions; KEY_RANGE speaks of both. */
bool selector_key_is_of_region(enum selector_key key);

/* Whether a selector speaks of processes: pid comm user cgroup, or a range. */
bool selection_has_process_keys(const struct memoir_selection *selection);

/* The part of a selection that speaks of a buffer: kind, object, path, and name, which is its tag. */
bool selection_matches_buffer(const struct memoir_selection *selection,
			      const struct memoir_object *object, const char *kind,
			      const char *tag);

/* Whether a glob is a plain decimal number, so that it means one pid. */
bool glob_is_number(const char *glob);

/*
 * The region's part of memoir_selection_matches_region(), for loops that have already asked for the
 * process.
 */
bool selection_matches_region_part(const struct memoir_selection *selection,
				   const struct memoir_snapshot *snapshot,
				   const struct memoir_region *region);

/*
 * What of a region the selection's ranges (PID:START-END) mean, cut inwards to whole pages; all of it where
 * there are none. Whether anything is left.
 */
bool selection_clip(const struct memoir_selection *selection, const struct memoir_region *region,
		    uint64_t *ret_start, uint64_t *ret_end);

#endif
