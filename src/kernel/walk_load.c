// SPDX-License-Identifier: MIT
/*
 * Loads the BPF programs of a walk, and lets go of them; reads nothing by them but where the direct map is.
 *
 * The kernel takes milliseconds to verify the program for VMAs. In the meantime a second thread loads the one for
 * tasks, which is small, and has it do what needs no other.
 */
#include "kernel/walk.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crew.h"
#include "base/error.h"
#include "kernel/capabilities.h"
#include "kernel/process.h"
#include "kernel/procmap.h"
#include "kernel/walk_pump.h"
#include "kernel/walk_skeleton.h"

#include "walk_locked.lskel.h"
#include "walk_lockless.lskel.h"
#include "walk_named.lskel.h"
#include "walk_sums.lskel.h"

#define ARENA_MAP_BYTES ((WALK_ARENAS + 1) * WALK_ARENA_STRIDE)
#define TASKS_MAP_BYTES (WALK_ARENAS * WALK_TASKS_STRIDE)
#define PATIENCE 4096 /* lookups in vain, then the lock is taken */

static int map_arena(int map, size_t bytes, const char **ret_arena)
{
	void *arena = mmap(NULL, bytes, PROT_READ, MAP_SHARED, map, 0);

	if (arena == MAP_FAILED)
		return -errno;
	*ret_arena = arena;
	return 0;
}

static int link_iterator(int program, int *ret_link)
{
	*ret_link = skel_link_create(program, 0, BPF_TRACE_ITER);
	return *ret_link < 0 ? -errno : 0;
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
	load->err = walk->tasks ? map_arena(walk->tasks->maps.arenas.map_fd, TASKS_MAP_BYTES,
					    &walk->tasks_arena)
				: -errno;
	if (!load->err)
		load->err = link_iterator(walk->tasks->progs.walk_tasks.prog_fd, &walk->task_link);
	if (!load->err && load->meanwhile)
		load->meanwhile(walk, load->arg);
	if (!load->err)
		load->err = walk_find(walk, load->root);
	return NULL;
}

/* The skeletons have the same members, but of different types. */
#define TAKE(walk, skel, end)                                      \
	do {                                                       \
		(walk)->skeleton = (skel);                         \
		(walk)->destroy = (end);                           \
		(walk)->program = (skel)->progs.walk_vmas.prog_fd; \
		(walk)->arena_map = (skel)->maps.arenas.map_fd;    \
		(walk)->config = &(skel)->bss->config;             \
		(walk)->walkers = (skel)->bss->walkers;            \
		(walk)->layout = &(skel)->bss->layout;             \
	} while (0)

static void takes_no_lock(struct walk *walk, enum walk_program program, int wanted)
{
	walk->lockless = walk->casts = true;
	walk->loaded = program;
	walk->wanted = wanted;
	walk->config->patience = PATIENCE;
}

/* bpf/NAME.bpf.c, which takes no lock: Linux 6.14. Its list of who is wanted, or -1, may be told by what `skel` has. */
#define LOCKLESS_PROGRAM(name, program, wanted)                               \
	static void end_##name(void *skel)                                    \
	{                                                                     \
		name##_bpf__destroy(skel);                                    \
	}                                                                     \
	static int load_##name(struct walk *walk)                             \
	{                                                                     \
		struct name##_bpf *skel = name##_bpf__open_and_load();        \
                                                                              \
		if (!skel || !walk_may_call(skel->progs.walk_vmas.prog_fd)) { \
			end_##name(skel);                                     \
			return -EOPNOTSUPP;                                   \
		}                                                             \
		TAKE(walk, skel, end_##name);                                 \
		takes_no_lock(walk, program, wanted);                         \
		return 0;                                                     \
	}

LOCKLESS_PROGRAM(walk_lockless, WALK_REGIONS, skel->maps.wanted.map_fd)
LOCKLESS_PROGRAM(walk_named, WALK_NAMED_REGIONS, skel->maps.wanted.map_fd)
LOCKLESS_PROGRAM(walk_sums, WALK_SUMS, -1)

static void end_locked(void *skel)
{
	walk_locked_bpf__destroy(skel);
}

/* Before Linux 6.2 the kernel refuses a program that reads by casts (bpf/walk_read.h). */
static int load_locked(struct walk *walk, bool may_cast)
{
	struct walk_locked_bpf *skel = walk_locked_bpf__open();
	int err;

	if (!skel)
		return -errno;
	skel->rodata->may_cast = may_cast;
	err = walk_locked_bpf__load(skel);
	if (err < 0) {
		walk_locked_bpf__destroy(skel);
		return err;
	}
	TAKE(walk, skel, end_locked);
	walk->wanted = skel->maps.wanted.map_fd;
	walk->casts = may_cast;
	return 0;
}

/* What is asked for, or what does the same in more time. */
static int load_vmas(struct walk *walk, bool lockless, enum walk_program program)
{
	int err = -EOPNOTSUPP;

	if (lockless && program == WALK_NAMED_REGIONS)
		err = load_walk_named(walk);
	if (lockless && program == WALK_SUMS)
		err = load_walk_sums(walk);
	if (err && lockless)
		err = load_walk_lockless(walk);
	if (err)
		err = load_locked(walk, true);
	if (err)
		err = load_locked(walk, false);
	if (!err)
		err = map_arena(walk->arena_map, ARENA_MAP_BYTES, &walk->arena);
	/* The other is called, not iterated. */
	if (!err && !walk->lockless)
		err = link_iterator(walk->program, &walk->vma_link);
	return err;
}

static int load(struct tasks_load *tasks, bool lockless, enum walk_program program)
{
	struct walk *walk = tasks->walk;
	pthread_t thread;
	bool beside = crew_thread(&thread, load_tasks, tasks) == 0;
	int err = load_vmas(walk, lockless, program);

	if (beside)
		pthread_join(thread, NULL);
	else
		load_tasks(tasks);
	if (!err)
		err = tasks->err;
	if (!err)
		*walk->layout = walk->tasks->bss->layout;
	return err;
}

static struct walk *new_walk(const struct kroot *root)
{
	struct walk *walk = calloc(1, sizeof(*walk));

	if (!walk)
		return NULL;
	walk->root = root;
	walk->task_link = walk->vma_link = walk->maps_fd = walk->wanted = -1;
	return walk;
}

static int open_walk(const struct kroot *root, bool lockless, enum walk_program program,
		     walk_meanwhile_fn meanwhile, void *arg, struct walk **ret_walk,
		     struct memoir_error *error)
{
	struct tasks_load tasks = { .root = root, .meanwhile = meanwhile, .arg = arg };
	struct walk *walk;
	int err;

	if (process_may_iterate(root, error) < 0)
		return -EOPNOTSUPP;
	walk = new_walk(root);
	if (!walk)
		return -ENOMEM;
	walk->self = (uint32_t)getpid();
	tasks.walk = walk;
	err = load(&tasks, lockless, program);
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

/*
 * As a walk without locks has to (kernel/walk_path.c), of all processes. It also spares old kernels programs that they
 * refuse: those from 6.11 to 6.13 take a millisecond for each.
 */
static bool may_ask_for_paths(const struct kroot *root)
{
	struct procmap_vma vma;
	int fd = capabilities_include(root, CAP_SYS_PTRACE) ? kroot_fd(root, "proc/self/maps") : -1;
	int err = fd >= 0 ? procmap_query(fd, (uintptr_t)&walk_open, &vma) : fd;

	if (fd >= 0)
		close(fd);
	return err == 0;
}

int walk_open(const struct kroot *root, enum walk_program program, walk_meanwhile_fn meanwhile,
	      void *arg, struct walk **ret_walk, struct memoir_error *error)
{
	return open_walk(root, may_ask_for_paths(root), program, meanwhile, arg, ret_walk, error);
}

int walk_open_locked(const struct kroot *root, struct walk **ret_walk, struct memoir_error *error)
{
	return open_walk(root, false, WALK_REGIONS, NULL, NULL, ret_walk, error);
}

int walk_load_locked(const struct walk *walk, struct walk **ret_locked)
{
	struct walk *locked = new_walk(walk->root);
	int err = locked ? load_vmas(locked, false, WALK_REGIONS) : -ENOMEM;

	if (err) {
		walk_close(locked);
		return err;
	}
	*locked->layout = *walk->layout;
	*locked->config = *walk->config;
	locked->tables_work = walk->tables_work;
	*ret_locked = locked;
	return 0;
}

void walk_close(struct walk *walk)
{
	if (!walk)
		return;
	walk_close(walk->locked);
	walk_forget_paths(walk);
	free(walk->paths);
	u64map_free(&walk->listed);
	free(walk->targets.list);
	free(walk->files);
	if (walk->arena)
		munmap((void *)walk->arena, ARENA_MAP_BYTES);
	if (walk->tasks_arena)
		munmap((void *)walk->tasks_arena, TASKS_MAP_BYTES);
	if (walk->vma_link >= 0)
		close(walk->vma_link);
	if (walk->task_link >= 0)
		close(walk->task_link);
	if (walk->skeleton)
		walk->destroy(walk->skeleton);
	if (walk->tasks)
		tasks_bpf__destroy(walk->tasks);
	free(walk);
}
