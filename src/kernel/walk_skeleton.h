/* SPDX-License-Identifier: MIT */
/*
 * The inside of a BPF walk, for the files walk*.c and files_listed.c only.
 */
#ifndef MEMOIR_KERNEL_WALK_SKELETON_H
#define MEMOIR_KERNEL_WALK_SKELETON_H

#include "base/u64map.h"
#include "kernel/direct_map.h"
#include "kernel/walk.h"
#include "kernel/files_format.h"
#include "kernel/walk_pump.h"

#include "tasks.lskel.h"

#define PAGE_BYTES 4096u /* the walk is for x86-64 */

/* What is known of the direct map before page tables can be read. */
struct walk_found {
	struct witnesses witnesses; /* from the first tasks that are read */
	bool searched;              /* no more are taken */
	uint64_t own_mm;
	uint64_t direct_map, max_phys; /* 0: not found */
};

/* Who can be walked without locks. */
struct walk_target {
	uint64_t task, mm, born_ns;
	uint32_t tgid, tid;
	bool large;
	bool gone; /* when it was to be walked: nothing of it was told */
};

struct walk_targets {
	struct walk_target *list;
	size_t count, room;
	bool unused; /* no walk of all of them since they were listed */
};

struct known_path {
	struct walk_path place; /* all 0: known by its id only */
	char *text;             /* NULL: not known yet */
};

struct walk {
	const struct kroot *root;
	struct tasks_bpf *tasks;
	/* Of the one of four skeletons whose program for VMAs is loaded, and what it has. */
	void *skeleton;
	void (*destroy)(void *skeleton);
	enum walk_program loaded;
	int program, wanted, arena_map; /* wanted: -1 in what is for sums */
	struct walk_config *config;
	struct walker *walkers; /* WALK_WALKERS */
	struct walk_layout *layout;
	bool casts, lockless;
	/* The same that takes locks, for what is left to it, and how often that was; loaded when it is. */
	struct walk *locked;
	unsigned int rests;
	int task_link, vma_link;
	const char *tasks_arena, *arena;
	uint32_t self;
	struct walk_found found;
	bool calibrated, tables_work;
	struct u64map listed; /* keys now in `wanted` */
	struct walk_targets targets;
	/* Open files, listed along with the tasks. */
	struct file_record *files;
	size_t file_count, file_room;
	bool wants_files, files_listed;
	/* The last ones in the arena at hand, or NULL. */
	const struct walk_table *table;
	const struct walk_object *object;
	const struct walk_text *sent_path; /* of the object that comes next */
	uint32_t path;                     /* id of the object's, 0: none */
	struct known_path *paths;          /* by id, of this walk */
	size_t path_room;
	uint32_t path_count; /* ids that were given to what stands in path_by_place */
	struct u64map path_by_place;
	int maps_fd; /* of maps_tid, by which the last path was asked for; or -1 */
	uint32_t maps_tid;
	char name[WALK_NAME_BYTES], label[WALK_LABEL_BYTES];
};

/* If it is not known yet. 0 or -ENOMEM. */
int walk_keep_path(struct walk *walk, uint32_t id, const char *path, size_t length);
void walk_forget_paths(struct walk *walk);

/* The object of the VMAs that come next. 0 or -ENOMEM. */
int walk_enter_object(struct walk *walk, const struct walk_object *object);

/* The path of a VMA's file, asked for if it is not known; "": not known. Good until paths are forgotten. */
const char *walk_path(struct walk *walk, const struct walk_vma *vma);

/* Walk what was left, under the lock. */
int walk_rest(struct walk *walk, const struct walk_left *left, const struct walk_visitor *visitor,
	      void *arg);

/* A second walk for VMAs alone, that takes locks and knows what this one has found. 0, or a negative errno. */
int walk_load_locked(const struct walk *walk, struct walk **ret_locked);

/* Where tasks lie in the kernel's memory tells where its direct map is. */
void walk_witness(struct walk *walk, const struct walk_task *task);

/* Look for the direct map; if tasks were read before, that is enough. 0, or a negative errno of reading them. */
int walk_find(struct walk *walk, const struct kroot *root);

/* Whether a key was added to the list that a scope goes by. */
bool walk_is_listed(const struct walk *walk, uint64_t key);

/* One walk of what was listed, as a source of records. */
struct target_walk {
	struct walk_source source;
	struct walk *walk;
	pid_t only;  /* 0: all */
	size_t next; /* in the list; of both walkers */
	struct walk_target *current[WALK_WALKERS];
};

/* Whether the kernel lets the walk without locks be called; some are built without what that takes. */
bool walk_may_call(int program);

int walk_targets_add(struct walk_targets *targets, const struct walk_task *task);
void walk_targets_source(struct walk *walk, pid_t only, struct target_walk *ret_tw);

/* Take the list out, to be freed; what is left of it are those that were gone when they were to be walked. */
struct walk_targets walk_targets_take_gone(struct walk *walk);

/*
 * Leave only those that took the place of one that was gone, if there are any: a thread that calls exec becomes the
 * process's only one, and other threads go on when the first one exits.
 */
bool walk_targets_keep_successors(struct walk_targets *targets, const struct walk_targets *gone);

#endif
