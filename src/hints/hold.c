// SPDX-License-Identifier: MIT
/*
 * Chooses how a target is held still and does it: its cgroup's freezer, else ptrace, else SIGSTOP. Always lets
 * go: by itself, by the kernel, or by a guard process.
 */
#include "hints/hold.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/grow.h"
#include "kernel/cgroup.h"
#include "kernel/guard.h"
#include "kernel/pidfd.h"
#include "kernel/process.h"
#include "kernel/seize.h"

#define WAIT_MS 2000u
#define STEP_NS 100000
#define ROUNDS_MAX 100

/* One of the processes that have the address space. */
struct holder {
	pid_t pid;
	int pidfd;
	bool stopped; /* by us, with SIGSTOP */
};

struct hold {
	const struct kroot *root;
	const struct memoir_plan *plan;
	pid_t pid;
	enum memoir_hold way;
	struct holder *holders;
	size_t holder_count, holder_room;
	char cgroup[CGROUP_PATH_MAX];
	int freezer;        /* -1: not opened */
	bool frozen_before; /* by somebody else: it stays so */
	struct guard *guard;
	int *guarded;     /* pidfds that the guard has */
	bool guard_ended; /* by somebody else */
	struct seized seized;
	bool holding;
};

enum memoir_hold hold_way(const struct hold *hold)
{
	return hold->way;
}

bool hold_guard_ended(const struct hold *hold)
{
	return hold->guard_ended;
}

static int tell_guard(struct hold *hold, bool holding)
{
	int err = hold->guard ? guard_set(hold->guard, holding) : 0;

	hold->guard_ended |= err != 0;
	return err;
}

/* ---- who has the address space --------------------------------------------------------------- */

static struct holder *find_holder(struct hold *hold, pid_t pid)
{
	for (size_t i = 0; i < hold->holder_count; i++)
		if (hold->holders[i].pid == pid)
			return &hold->holders[i];
	return NULL;
}

static int add_holder(struct hold *hold, pid_t pid)
{
	struct holder *holders =
		grow(hold->holders, &hold->holder_room, hold->holder_count + 1, sizeof(*holders));

	if (!holders)
		return -ENOMEM;
	hold->holders = holders;
	int pidfd = pidfd_of(pid);

	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 : pidfd;
	holders[hold->holder_count++] = (struct holder){ .pid = pid, .pidfd = pidfd };
	return 0;
}

static int take_peer(pid_t pid, void *arg)
{
	struct hold *hold = arg;

	if (find_holder(hold, pid) || !process_same_memory(hold->pid, pid))
		return 0;
	return add_holder(hold, pid);
}

/* Without those that have ended or have called exec: their numbers may be others' by now. */
static void drop_gone(struct hold *hold)
{
	for (size_t i = hold->holder_count; i-- > 0;) {
		struct holder *holder = &hold->holders[i];
		bool has_it =
			holder->pid == hold->pid || process_same_memory(hold->pid, holder->pid);

		if (has_it && pidfd_lives(holder->pidfd))
			continue;
		close(holder->pidfd);
		*holder = hold->holders[--hold->holder_count];
	}
}

/* Who is new among them. 0; 1: there are none; negative errno. */
static int find_peers(struct hold *hold)
{
	size_t before = hold->holder_count;
	int err = process_each(hold->root, take_peer, hold);

	return err ? err : hold->holder_count == before;
}

/* ---- the freezer ----------------------------------------------------------------------------- */

/* Whether a process may be frozen: it gets hints too, or has the address space of one that does. */
static int is_foreign(pid_t pid, void *arg)
{
	struct hold *hold = arg;

	if (find_holder(hold, pid))
		return 0;
	for (size_t i = 0; i < hold->plan->process_count; i++)
		if (hold->plan->processes[i].pid == pid)
			return 0;
	return 1;
}

static bool all_in_cgroup(struct hold *hold)
{
	char path[CGROUP_PATH_MAX];

	for (size_t i = 0; i < hold->holder_count; i++)
		if (cgroup2_path(hold->root, hold->holders[i].pid, path, sizeof(path)) < 0 ||
		    strcmp(path, hold->cgroup) != 0)
			return false;
	return true;
}

static bool cgroup_fits(struct hold *hold)
{
	return all_in_cgroup(hold) && cgroup2_is_leaf(hold->root, hold->cgroup) &&
	       cgroup2_each(hold->root, hold->cgroup, is_foreign, hold) == 0;
}

static int try_cgroup(struct hold *hold)
{
	int frozen;

	if (cgroup2_path(hold->root, hold->pid, hold->cgroup, sizeof(hold->cgroup)) < 0 ||
	    strcmp(hold->cgroup, "/") == 0 || !cgroup_fits(hold))
		return -EOPNOTSUPP;
	frozen = cgroup2_frozen(hold->root, hold->cgroup);
	if (frozen < 0)
		return frozen;
	hold->frozen_before = frozen;
	hold->freezer = cgroup2_freezer(hold->root, hold->cgroup);
	if (hold->freezer < 0)
		return hold->freezer;
	if (frozen)
		return 0;
	return guard_start(&(struct guard_duty){ .freezer = hold->freezer }, &hold->guard);
}

static void thaw(struct hold *hold)
{
	if (hold->frozen_before)
		return;
	(void)cgroup2_freeze(hold->freezer, false);
	(void)tell_guard(hold, false);
}

static int freeze(struct hold *hold)
{
	int err;

	if (hold->frozen_before)
		return cgroup2_frozen(hold->root, hold->cgroup) == 1 ? 0 : -ECANCELED;
	err = tell_guard(hold, true);
	if (!err)
		err = cgroup2_freeze(hold->freezer, true);
	if (!err)
		err = cgroup2_wait_frozen(hold->root, hold->cgroup, WAIT_MS);
	/* Somebody may have come in, and who has the address space may have changed. */
	if (!err && (find_peers(hold) != 1 || !cgroup_fits(hold)))
		err = -ECANCELED;
	if (err)
		thaw(hold);
	return err;
}

/* ---- SIGSTOP --------------------------------------------------------------------------------- */

static void let_run(struct hold *hold)
{
	for (size_t i = 0; i < hold->holder_count; i++) {
		if (hold->holders[i].stopped)
			(void)pidfd_signal(hold->holders[i].pidfd, SIGCONT);
		hold->holders[i].stopped = false;
	}
	(void)tell_guard(hold, false);
	guard_end(hold->guard);
	hold->guard = NULL;
}

/* For each hold a guard of its own: whom it has to let run on may change. */
static int guard_stops(struct hold *hold)
{
	struct guard_duty duty = { .freezer = -1 };

	free(hold->guarded);
	hold->guarded = calloc(hold->holder_count + 1, sizeof(*hold->guarded));
	if (!hold->guarded)
		return -ENOMEM;
	for (size_t i = 0; i < hold->holder_count; i++)
		if (!process_is_stopped(hold->root, hold->holders[i].pid)) {
			hold->guarded[duty.pidfd_count++] = hold->holders[i].pidfd;
			hold->holders[i].stopped = true;
		}
	duty.pidfds = hold->guarded;
	int err = guard_start(&duty, &hold->guard);

	err = err ? err : tell_guard(hold, true);
	/* Nobody has been stopped yet. */
	for (size_t i = 0; i < hold->holder_count && err; i++)
		hold->holders[i].stopped = false;
	return err == -EPIPE ? -EAGAIN : err; /* it was ended: another one */
}

static int wait_stopped(const struct hold *hold, pid_t pid)
{
	const struct timespec step = { .tv_nsec = STEP_NS };

	for (uint64_t i = 0; i < (uint64_t)WAIT_MS * 1000000 / STEP_NS; i++) {
		if (process_is_stopped(hold->root, pid))
			return 0;
		(void)nanosleep(&step, NULL);
	}
	return -ETIMEDOUT;
}

static int stop_all(struct hold *hold)
{
	int err = find_peers(hold);

	err = err < 0 ? err : guard_stops(hold);
	for (size_t i = 0; i < hold->holder_count && !err; i++) {
		if (hold->holders[i].stopped)
			err = pidfd_signal(hold->holders[i].pidfd, SIGSTOP);
		err = err == -ESRCH ? 0 : err; /* it has just ended */
	}
	for (size_t i = 0; i < hold->holder_count && !err; i++)
		err = wait_stopped(hold, hold->holders[i].pid);
	/* One that was made meanwhile runs. */
	if (!err && find_peers(hold) == 0)
		err = -EAGAIN;
	if (err)
		let_run(hold);
	return err;
}

static int stop_until_all(struct hold *hold)
{
	int err = -EAGAIN;

	for (int i = 0; i < ROUNDS_MAX && err == -EAGAIN; i++)
		err = stop_all(hold);
	return err;
}

/* ---- ptrace ---------------------------------------------------------------------------------- */

static int seize_all(struct hold *hold)
{
	int err = 0, more = 0;

	for (int i = 0; i < ROUNDS_MAX && more == 0 && !err; i++) {
		for (size_t h = 0; h < hold->holder_count && !err; h++) {
			err = seize_process(&hold->seized, hold->root, hold->holders[h].pid);
			/* A peer that has ended meanwhile; of the target itself it is said later. */
			if (err == -ESRCH)
				err = 0;
		}
		if (!err)
			more = find_peers(hold);
	}
	if (!err && more < 0)
		err = more;
	if (err)
		seize_release(&hold->seized);
	return err;
}

/* ---- any of them ----------------------------------------------------------------------------- */

int hold_new(struct hold **ret_hold, const struct target *target, const struct memoir_plan *plan,
	     struct memoir_error *error)
{
	struct hold *hold = calloc(1, sizeof(*hold));
	int err;

	if (!hold)
		return error_set(error, -ENOMEM, "out of memory");
	hold->root = target->root;
	hold->plan = plan;
	hold->pid = target->pid;
	hold->freezer = -1;
	err = add_holder(hold, hold->pid);
	if (!err) {
		err = find_peers(hold);
		err = err < 0 ? err : 0;
	}
	if (err) {
		hold_free(hold);
		return error_set_about(
			error, err, target->pid, NULL,
			"who shares the address space of process %d can't be found: %s",
			(int)target->pid, strerror(-err));
	}
	hold->way = try_cgroup(hold) == 0 ? MEMOIR_HOLD_CGROUP : MEMOIR_HOLD_PTRACE;
	*ret_hold = hold;
	return 0;
}

static int fail(const struct hold *hold, int err, struct memoir_error *error)
{
	int pid = (int)hold->pid;

	if (err == -ESRCH)
		return err;
	if (err == -EPERM || err == -EACCES)
		return error_set_about(
			error, err, hold->pid, NULL,
			"process %d can't be held still (%s): that needs the right to "
			"trace it, which CAP_SYS_PTRACE in its user namespace gives, and "
			"no security policy against it",
			pid, strerror(-err));
	if (err == -ETIMEDOUT)
		return error_set_about(
			error, err, hold->pid, NULL,
			"process %d does not stand still within %u s: one of its threads "
			"waits in the kernel; --check needs no standing still",
			pid, WAIT_MS / 1000);
	return error_set_about(error, err, hold->pid, NULL, "process %d can't be held still: %s",
			       pid, strerror(-err));
}

int hold_begin(struct hold *hold, struct memoir_error *error)
{
	int err = 0;

	drop_gone(hold);
	if (!hold->holder_count)
		return -ESRCH;
	if (hold->way == MEMOIR_HOLD_CGROUP) {
		err = freeze(hold);
		if (err)
			hold->way = MEMOIR_HOLD_PTRACE;
	}
	if (hold->way == MEMOIR_HOLD_PTRACE) {
		err = seize_all(hold);
		if (err == -EBUSY) {
			hold->way = MEMOIR_HOLD_SIGSTOP;
			guard_end(hold->guard);
			hold->guard = NULL;
		}
	}
	if (hold->way == MEMOIR_HOLD_SIGSTOP)
		err = stop_until_all(hold);
	if (err)
		return fail(hold, err, error);
	hold->holding = true;
	return 0;
}

void hold_end(struct hold *hold)
{
	if (!hold->holding)
		return;
	hold->holding = false;
	if (hold->way == MEMOIR_HOLD_CGROUP)
		thaw(hold);
	else if (hold->way == MEMOIR_HOLD_PTRACE)
		seize_release(&hold->seized);
	else
		let_run(hold);
}

void hold_free(struct hold *hold)
{
	if (!hold)
		return;
	hold_end(hold);
	guard_end(hold->guard);
	if (hold->freezer >= 0)
		close(hold->freezer);
	for (size_t i = 0; i < hold->holder_count; i++)
		close(hold->holders[i].pidfd);
	seize_free(&hold->seized);
	free(hold->guarded);
	free(hold->holders);
	free(hold);
}
