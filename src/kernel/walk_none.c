// SPDX-License-Identifier: MIT
/*
 * The BPF walk of a build without BPF: it says so, and capture goes by other means.
 */
#include "kernel/walk.h"

#include "base/error.h"

#include <errno.h>

int walk_open(const struct kroot *root, enum walk_program program, walk_meanwhile_fn meanwhile,
	      void *arg, struct walk **ret_walk, struct memoir_error *error)
{
	(void)root;
	(void)program;
	(void)meanwhile;
	(void)arg;
	(void)ret_walk;
	return error_set(error, -EOPNOTSUPP, "this memoir was built without BPF");
}

int walk_open_locked(const struct kroot *root, struct walk **ret_walk, struct memoir_error *error)
{
	return walk_open(root, WALK_REGIONS, NULL, NULL, ret_walk, error);
}

enum walk_program walk_loaded(const struct walk *walk)
{
	(void)walk;
	return WALK_REGIONS;
}

void walk_close(struct walk *walk)
{
	(void)walk;
}

int walk_calibrate(struct walk *walk, const struct kroot *root)
{
	(void)walk;
	(void)root;
	return -EOPNOTSUPP;
}

int walk_seq_kind(const struct walk *walk)
{
	(void)walk;
	return 0;
}

bool walk_casts(const struct walk *walk)
{
	(void)walk;
	return false;
}

bool walk_has_counters(const struct walk *walk)
{
	(void)walk;
	return false;
}

bool walk_is_lockless(const struct walk *walk)
{
	(void)walk;
	return false;
}

void walk_want_files(struct walk *walk, bool wanted)
{
	(void)walk;
	(void)wanted;
}

int walk_tasks(struct walk *walk, void (*task)(const struct walk_task *task, void *arg), void *arg)
{
	(void)walk;
	(void)task;
	(void)arg;
	return -EOPNOTSUPP;
}

int walk_wanted_clear(struct walk *walk)
{
	(void)walk;
	return -EOPNOTSUPP;
}

int walk_wanted_add(struct walk *walk, uint64_t key)
{
	(void)walk;
	(void)key;
	return -EOPNOTSUPP;
}

int walk_vmas(struct walk *walk, enum walk_scope scope, bool tables,
	      const struct walk_visitor *visitor, void *arg)
{
	(void)walk;
	(void)scope;
	(void)tables;
	(void)visitor;
	(void)arg;
	return -EOPNOTSUPP;
}

int walk_vmas_of(struct walk *walk, pid_t pid, bool tables, const struct walk_visitor *visitor,
		 void *arg)
{
	(void)pid;
	return walk_vmas(walk, WALK_LISTED_MMS, tables, visitor, arg);
}
