// SPDX-License-Identifier: MIT
/*
 * Holding processes still: the guard lets go when its starter ends, and only then; ptrace stops all threads,
 * hands on signals, and shows the parent nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/guard.h"
#include "kernel/pidfd.h"
#include "kernel/process.h"
#include "kernel/root.h"
#include "kernel/seize.h"

#define THREADS 8
#define WAIT_US 5000
#define STEPS 400

struct counts {
	_Atomic uint64_t turns[THREADS];
	_Atomic uint64_t signals;
};

static struct counts *counts;
static struct kroot *root;

static void *turn(void *arg)
{
	_Atomic uint64_t *turns = arg;

	for (;;)
		atomic_fetch_add(turns, 1);
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
	atomic_fetch_add(&counts->signals, 1);
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGUSR1, on_signal);
		for (int i = 1; i < THREADS; i++)
			pthread_create(&thread, NULL, turn, &counts->turns[i]);
		turn(&counts->turns[0]);
	}
	assert_true(pid > 0);
	for (int i = 0; i < STEPS * 10 && !atomic_load(&counts->turns[THREADS - 1]); i++)
		usleep(WAIT_US);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static uint64_t all_turns(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < THREADS; i++)
		sum += atomic_load(&counts->turns[i]);
	return sum;
}

/* Sanitizers have threads of their own. */
static size_t threads_of(pid_t pid)
{
	char path[64];
	size_t count = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	assert_non_null(tasks);
	for (struct dirent *task; (task = readdir(tasks));)
		count += task->d_name[0] != '.';
	closedir(tasks);
	assert_true(count >= THREADS);
	return count;
}

static int set_up(void **state)
{
	(void)state;
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return counts == MAP_FAILED ? -1 : kroot_open(NULL, &root);
}

static int tear_down(void **state)
{
	(void)state;
	kroot_close(root);
	return munmap(counts, sizeof(*counts));
}

static void all_threads_stand_still_and_run_on(void **state)
{
	struct seized seized = { 0 };
	pid_t pid = start();
	siginfo_t seen = { 0 };

	(void)state;
	assert_int_equal(seize_process(&seized, root, pid), 0);
	assert_int_equal(seized.count, threads_of(pid));
	uint64_t before = all_turns();

	kill(pid, SIGUSR1);
	usleep(WAIT_US);
	assert_int_equal(all_turns(), before);
	seize_release(&seized);
	for (int i = 0; i < STEPS && (all_turns() == before || !atomic_load(&counts->signals)); i++)
		usleep(WAIT_US);
	assert_true(all_turns() > before);
	assert_int_equal(atomic_load(&counts->signals), 1);
	assert_int_equal(waitid(P_PID, (id_t)pid, &seen, WSTOPPED | WCONTINUED | WNOHANG), 0);
	assert_int_equal(seen.si_pid, 0);
	seize_free(&seized);
	end(pid);
}

static bool is_stopped_in_time(pid_t pid, bool stopped)
{
	for (int i = 0; i < STEPS; i++) {
		if (process_is_stopped(root, pid) == stopped)
			return true;
		usleep(WAIT_US);
	}
	return false;
}

/* A process that starts a guard, stops another, and ends as told. */
static void starter(int pidfd, bool holding, bool ends_guard)
{
	struct guard_duty duty = { .freezer = -1, .pidfds = &pidfd, .pidfd_count = 1 };
	struct guard *guard;

	if (guard_start(&duty, &guard) < 0 || guard_set(guard, true) < 0 ||
	    pidfd_signal(pidfd, SIGSTOP) < 0 || (!holding && guard_set(guard, false) < 0))
		_exit(1);
	if (ends_guard)
		guard_end(guard);
	kill(getpid(), SIGKILL);
}

static pid_t start_and_die(pid_t target, bool holding, bool ends_guard)
{
	int pidfd = pidfd_of(target), status;
	pid_t pid = fork();

	assert_true(pidfd >= 0);
	if (pid == 0)
		starter(pidfd, holding, ends_guard);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(pidfd);
	return pid;
}

static void a_guard_lets_go_when_its_starter_is_killed(void **state)
{
	pid_t pid = start();

	(void)state;
	start_and_die(pid, true, false);
	assert_true(is_stopped_in_time(pid, false));
	end(pid);
}

static void a_guard_does_nothing_where_nothing_is_held(void **state)
{
	pid_t pid = start();

	(void)state;
	start_and_die(pid, false, false);
	assert_true(is_stopped_in_time(pid, true));
	usleep(20 * WAIT_US);
	assert_true(process_is_stopped(root, pid));
	kill(pid, SIGCONT);
	start_and_die(pid, true, true);
	assert_true(is_stopped_in_time(pid, true));
	usleep(20 * WAIT_US);
	assert_true(process_is_stopped(root, pid));
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_threads_stand_still_and_run_on),
		cmocka_unit_test(a_guard_lets_go_when_its_starter_is_killed),
		cmocka_unit_test(a_guard_does_nothing_where_nothing_is_held),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
