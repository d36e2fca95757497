// SPDX-License-Identifier: MIT
/*
 * Loads the BPF programs of a walk, and lets go of them; reads nothing by them but where the direct map is.
 *
 * The kernel takes milliseconds to verify the program for VMAs. In the meantime a second thread loads the one for
 * tasks, which is small, and has it do what needs no other.
 */
#include "kernel/walk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crew.h"
#include "base/error.h"
#include "kernel/process.h"
#include "kernel/walk_pump.h"
#include "kernel/walk_skeleton.h"

#define ARENA_MAP_BYTES (WALK_ARENAS * WALK_ARENA_STRIDE)
#define TASKS_MAP_BYTES (WALK_ARENAS * WALK_TASKS_STRIDE)

/* A link to the iterator, and the array that it writes to. */
static int attach(int program, int map, size_t map_bytes, int *ret_link, const char **ret_arena)
{
	void *arena;

	*ret_link = skel_link_create(program, 0, BPF_TRACE_ITER);
	if (*ret_link < 0)
		return -errno;
	arena = mmap(NULL, map_bytes, PROT_READ, MAP_SHARED, map, 0);
	if (arena == MAP_FAILED)
		return -errno;
	*ret_arena = arena;
	return 0;
}

struct tasks_load {
	struct walk *walk;
	const struct kroot *root;
	walk_meanwhile_fn meanwhile;
	void *arg;
	int err;
};

static void *load_tasks(void *arg)
{
	struct tasks_load *load = arg;
	struct walk *walk = load->walk;

	walk->tasks = tasks_bpf__open_and_load();
	load->err = walk->tasks ? attach(walk->tasks->progs.walk_tasks.prog_fd,
					 walk->tasks->maps.arena.map_fd, TASKS_MAP_BYTES,
					 &walk->task_link, &walk->tasks_arena)
				: -errno;
	if (!load->err && load->meanwhile)
		load->meanwhile(walk, load->arg);
	if (!load->err)
		load->err = walk_find(walk, load->root);
	return NULL;
}

/* Before Linux 6.2 the kernel refuses a program that reads by casts (bpf/walk_read.h). */
static int load_vmas_by(struct walk *walk, bool may_cast)
{
	int err;

	walk->skel = walk_bpf__open();
	if (!walk->skel)
		return -errno;
	walk->skel->rodata->may_cast = may_cast;
	err = walk_bpf__load(walk->skel);
	if (err < 0) {
		walk_bpf__destroy(walk->skel);
		walk->skel = NULL;
	}
	return err;
}

static int load_vmas(struct walk *walk)
{
	int err = load_vmas_by(walk, true);

	if (err < 0)
		err = load_vmas_by(walk, false);
	return err ? err
		   : attach(walk->skel->progs.walk_vmas.prog_fd, walk->skel->maps.arena.map_fd,
			    ARENA_MAP_BYTES, &walk->vma_link, &walk->arena);
}

static int load(struct tasks_load *tasks)
{
	struct walk *walk = tasks->walk;
	pthread_t thread;
	bool beside = crew_thread(&thread, load_tasks, tasks) == 0;
	int err = load_vmas(walk);

	if (beside)
		pthread_join(thread, NULL);
	else
		load_tasks(tasks);
	if (!err)
		err = tasks->err;
	if (!err)
		walk->skel->bss->layout = walk->tasks->bss->layout;
	return err;
}

int walk_open(const struct kroot *root, walk_meanwhile_fn meanwhile, void *arg,
	      struct walk **ret_walk, struct memoir_error *error)
{
	struct tasks_load tasks = { .root = root, .meanwhile = meanwhile, .arg = arg };
	struct walk *walk;
	int err;

	if (!kroot_is_live(root))
		return error_set(error, -EOPNOTSUPP, "BPF reads the running kernel only");
	/* The iterators number processes as that does: elsewhere pids would be wrong. */
	if (!process_pids_are_initial(root))
		return error_set(error, -EOPNOTSUPP,
				 "BPF iterators need the initial pid namespace");
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->task_link = walk->vma_link = -1;
	walk->self = (uint32_t)getpid();
	tasks.walk = walk;
	err = load(&tasks);
	if (err) {
		walk_close(walk);
		return error_set(
			error, err == -EPERM ? err : -EOPNOTSUPP,
			"the kernel refused memoir's BPF iterators (%s); they need Linux 5.17, "
			"CAP_BPF and CAP_PERFMON",
			strerror(-err));
	}
	*ret_walk = walk;
	return 0;
}

void walk_close(struct walk *walk)
{
	if (!walk)
		return;
	walk_forget_paths(walk);
	free(walk->paths);
	free(walk->listed);
	if (walk->arena)
		munmap((void *)walk->arena, ARENA_MAP_BYTES);
	if (walk->tasks_arena)
		munmap((void *)walk->tasks_arena, TASKS_MAP_BYTES);
	if (walk->vma_link >= 0)
		close(walk->vma_link);
	if (walk->task_link >= 0)
		close(walk->task_link);
	if (walk->skel)
		walk_bpf__destroy(walk->skel);
	if (walk->tasks)
		tasks_bpf__destroy(walk->tasks);
	free(walk);
}
