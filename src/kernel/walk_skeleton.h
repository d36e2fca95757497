/* SPDX-License-Identifier: MIT */
/*
 * The inside of a BPF walk, for walk.c, walk_load.c and walk_calibrate.c only.
 */
#ifndef MEMOIR_KERNEL_WALK_SKELETON_H
#define MEMOIR_KERNEL_WALK_SKELETON_H

#include "kernel/direct_map.h"
#include "kernel/walk.h"

#include "tasks.lskel.h"
#include "walk.lskel.h"

/* What is known of the direct map before page tables can be read. */
struct walk_found {
	struct witnesses witnesses; /* from the first tasks that are read */
	bool searched;              /* no more are taken */
	uint64_t own_mm;
	uint64_t direct_map, max_phys; /* 0: not found */
};

struct walk {
	struct tasks_bpf *tasks;
	struct walk_bpf *skel;
	int task_link, vma_link;
	const char *tasks_arena, *arena;
	uint32_t self;
	struct walk_found found;
	bool calibrated, tables_work;
	uint64_t *listed; /* keys now in `wanted` */
	size_t listed_count, listed_room;
	char **paths; /* by id, of this walk */
	size_t path_room;
	char name[WALK_NAME_BYTES];
};

void walk_forget_paths(struct walk *walk);

/* Where tasks lie in the kernel's memory tells where its direct map is. */
void walk_witness(struct walk *walk, const struct walk_task *task);

/* Look for the direct map; if tasks were read before, that is enough. 0, or a negative errno of reading them. */
int walk_find(struct walk *walk, const struct kroot *root);

#endif
