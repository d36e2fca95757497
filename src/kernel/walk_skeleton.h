/* SPDX-License-Identifier: MIT */
/*
 * The inside of a BPF walk, for walk.c and walk_calibrate.c only.
 */
#ifndef MEMOIR_KERNEL_WALK_SKELETON_H
#define MEMOIR_KERNEL_WALK_SKELETON_H

#include "kernel/walk.h"

#include "walk.lskel.h"

struct walk {
	struct walk_bpf *skel;
	int task_link, vma_link;
	const char *arena;
	bool calibrated, tables_work;
	uint64_t *listed; /* keys now in `wanted` */
	size_t listed_count, listed_room;
	char **paths; /* by id, of this walk */
	size_t path_room;
	char name[WALK_NAME_BYTES];
};

#endif
