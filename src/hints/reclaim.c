// SPDX-License-Identifier: MIT
/*
 * Has whole cgroups reclaimed; which of them are whole is found out by their own lists of processes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <memoir/hint.h>

#include "analysis/meant.h"
#include "base/error.h"
#include "base/grow.h"
#include "base/options.h"
#include "kernel/cgroup.h"
#include "snapshot/capture.h"

/* So that it can be stopped. */
#define STEP_BYTES (32ull << 20)
#define STEPS_MAX 65536

struct reclaiming {
	struct memoir *memoir;
	const struct memoir_snapshot *snap;
	const uint8_t *meant; /* by process */
	struct memoir_reclaim_options options;
	struct memoir_reclaimed *out;
	size_t room;
	uint64_t left_bytes;
};

/* ---- which ----------------------------------------------------------------------------------- */

static struct memoir_reclaimed_cgroup *find_cgroup(struct reclaiming *r, const char *path)
{
	for (size_t i = 0; i < r->out->cgroup_count; i++)
		if (strcmp(r->out->cgroups[i].path, path) == 0)
			return &r->out->cgroups[i];
	return NULL;
}

static int add_cgroup(struct reclaiming *r, const char *path)
{
	struct memoir_reclaimed *out = r->out;
	struct memoir_reclaimed_cgroup *cgroups =
		grow(out->cgroups, &r->room, out->cgroup_count + 1, sizeof(*cgroups));
	char *copy = strdup(path);

	if (cgroups)
		out->cgroups = cgroups;
	if (!cgroups || !copy) {
		free(copy);
		return -ENOMEM;
	}
	cgroups[out->cgroup_count++] = (struct memoir_reclaimed_cgroup){ .path = copy };
	return 0;
}

static int take_process(struct reclaiming *r, const struct memoir_process *process)
{
	char path[CGROUP_PATH_MAX];
	int err = cgroup2_path(r->memoir->root, process->pid, path, sizeof(path));

	if (err)
		return 0; /* it has ended, or is in none */
	if (!find_cgroup(r, path))
		err = add_cgroup(r, path);
	if (!err)
		find_cgroup(r, path)->processes++;
	return err;
}

/* Those without memory of their own (zombies) are in the list, and in no snapshot. */
static int is_foreign(pid_t pid, void *arg)
{
	const struct reclaiming *r = arg;
	const struct memoir_process *process = memoir_snapshot_find_pid(r->snap, pid);

	return process ? r->meant[process - r->snap->processes] == MEANT_NOT
		       : pid == r->memoir->self;
}

static bool is_whole(struct reclaiming *r, const char *path)
{
	return strcmp(path, "/") != 0 && cgroup2_is_leaf(r->memoir->root, path) &&
	       cgroup2_each(r->memoir->root, path, is_foreign, r) == 0;
}

static int compare_paths(const void *left, const void *right)
{
	const struct memoir_reclaimed_cgroup *a = left, *b = right;

	return strcmp(a->path, b->path);
}

/* ---- reclaiming ------------------------------------------------------------------------------ */

static int refusal(struct memoir_reclaimed_cgroup *cgroup, int err)
{
	const char *why = strerror(-err);

	if (err == -ENOENT)
		why = "it has no memory.reclaim: that needs Linux 5.19, and the memory controller "
		      "on the "
		      "hierarchy of version 2";
	else if (err == -EACCES || err == -EPERM)
		why = "memory.reclaim may not be written: run memoir as root, or as who owns the "
		      "cgroup";
	return error_set(&cgroup->error, err, "the cgroup %.200s is not reclaimed: %s",
			 cgroup->path, why);
}

static bool stopped(struct reclaiming *r)
{
	if (!r->out->stopped && r->options.stop)
		r->out->stopped = r->options.stop(r->options.stop_arg);
	return r->out->stopped;
}

/* Step by step, until it is enough or no more goes. */
static int reclaim_all(struct reclaiming *r, struct memoir_reclaimed_cgroup *cgroup)
{
	const struct kroot *root = r->memoir->root;
	uint64_t begin = cgroup->before_bytes, now, swap;
	int err = 0;

	for (unsigned int i = 0; i < STEPS_MAX && !err && !stopped(r) && r->left_bytes; i++) {
		uint64_t step = r->left_bytes < STEP_BYTES ? r->left_bytes : STEP_BYTES;

		err = cgroup2_reclaim(root, cgroup->path, step);
		cgroup2_usage(root, cgroup->path, &now, &swap);
		if (now == UINT64_MAX || r->left_bytes == UINT64_MAX)
			continue;
		r->left_bytes -= begin > now && begin - now < r->left_bytes ? begin - now
				 : begin > now                              ? r->left_bytes
									    : 0;
		begin = now;
	}
	/* Less than was asked for: that is all there is. */
	return err == -EAGAIN || err == -EINTR ? 0 : err;
}

static void take_usage(struct reclaiming *r, struct memoir_reclaimed_cgroup *cgroup, bool after)
{
	uint64_t ram, swap;

	cgroup2_usage(r->memoir->root, cgroup->path, &ram, &swap);
	cgroup->usage_known = ram != UINT64_MAX && (!after || cgroup->usage_known);
	cgroup->swap_known = swap != UINT64_MAX && (!after || cgroup->swap_known);
	*(after ? &cgroup->after_bytes : &cgroup->before_bytes) = cgroup->usage_known ? ram : 0;
	*(after ? &cgroup->swap_after_bytes : &cgroup->swap_before_bytes) =
		cgroup->swap_known ? swap : 0;
}

static void reclaim_cgroup(struct reclaiming *r, struct memoir_reclaimed_cgroup *cgroup)
{
	int err = 0;

	cgroup->whole = is_whole(r, cgroup->path);
	take_usage(r, cgroup, false);
	if (cgroup->whole && !r->options.dry_run)
		err = reclaim_all(r, cgroup);
	if (err) {
		refusal(cgroup, err);
		r->out->failed = true;
	}
	take_usage(r, cgroup, true);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int reclaim_meant(struct reclaiming *r, const struct memoir_selection *selection)
{
	uint8_t *meant = meant_processes(r->snap, selection);
	int err = meant ? 0 : -ENOMEM;

	r->meant = meant;
	for (size_t i = 0; i < r->snap->process_count && !err; i++)
		if (meant[i] != MEANT_NOT)
			err = take_process(r, &r->snap->processes[i]);
	if (!err && r->out->cgroup_count)
		qsort(r->out->cgroups, r->out->cgroup_count, sizeof(*r->out->cgroups),
		      compare_paths);
	for (size_t i = 0; i < r->out->cgroup_count && !err && !stopped(r); i++)
		reclaim_cgroup(r, &r->out->cgroups[i]);
	free(meant);
	return err;
}

static int check(const struct memoir *memoir, const struct memoir_selection *selection,
		 struct memoir_error *error)
{
	if (memoir_selection_has_region_keys(selection))
		return error_set(
			error, -EINVAL,
			"what is shared is reclaimed by whole cgroups: select processes or "
			"cgroups, not regions");
	if (!kroot_is_live(memoir->root))
		return error_set(error, -EOPNOTSUPP,
				 "only cgroups of the running machine can be reclaimed");
	if (!cgroup2_dir(memoir->root))
		return error_set(
			error, -EOPNOTSUPP,
			"no cgroups of version 2 are mounted at /sys/fs/cgroup: what is shared "
			"can't be reclaimed without");
	return 0;
}

int memoir_reclaim(struct memoir *memoir, const struct memoir_snapshot *snapshot,
		   const struct memoir_selection *selection,
		   const struct memoir_reclaim_options *options,
		   struct memoir_reclaimed **ret_reclaimed, struct memoir_error *error)
{
	struct reclaiming r = { .memoir = memoir, .snap = snapshot };
	int err = 0;

	if (options)
		err = options_copy(&r.options, sizeof(r.options), options, options->sz,
				   "struct memoir_reclaim_options", error);
	if (!err)
		err = check(memoir, selection, error);
	if (err)
		return err;
	r.left_bytes = r.options.max_bytes ? r.options.max_bytes : UINT64_MAX;
	r.out = calloc(1, sizeof(*r.out));
	err = r.out ? reclaim_meant(&r, selection) : -ENOMEM;
	if (err) {
		memoir_reclaimed_free(r.out);
		return error_set(error, err, "out of memory");
	}
	*ret_reclaimed = r.out;
	return 0;
}

void memoir_reclaimed_free(struct memoir_reclaimed *reclaimed)
{
	if (!reclaimed)
		return;
	for (size_t i = 0; i < reclaimed->cgroup_count; i++)
		free((char *)reclaimed->cgroups[i].path);
	free(reclaimed->cgroups);
	free(reclaimed);
}
