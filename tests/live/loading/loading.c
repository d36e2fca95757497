// SPDX-License-Identifier: MIT
/*
 * What a capture does while the kernel verifies its programs: tasks are read once, by another thread, and not again;
 * later captures read them anew; where no threads can be had all is done one after the other; where the kernel lets no
 * program be called that takes no lock, locks are taken; and what is loaded for sums is for nothing else. Who reads and
 * who may begin threads is seen by the linker's --wrap.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <memoir/snapshot.h>

#include "base/crew.h"
#include "kernel/walk.h"

static struct {
	bool refuse_threads, refuse_calls;
	unsigned int refused;
	unsigned int readings;
	unsigned int programs; /* that take no lock, and were tried */
	pthread_t last_reader;
} seen;

/* ---- between memoir and what it calls ------------------------------------------------------- */

int __real_crew_thread(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);
int __wrap_crew_thread(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);

int __wrap_crew_thread(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
	if (!seen.refuse_threads)
		return __real_crew_thread(ret_thread, run, arg);
	seen.refused++;
	return -EAGAIN;
}

int __real_walk_tasks(struct walk *walk, void (*task)(const struct walk_task *task, void *arg),
		      void *arg);
int __wrap_walk_tasks(struct walk *walk, void (*task)(const struct walk_task *task, void *arg),
		      void *arg);

int __wrap_walk_tasks(struct walk *walk, void (*task)(const struct walk_task *task, void *arg),
		      void *arg)
{
	seen.readings++;
	seen.last_reader = pthread_self();
	return __real_walk_tasks(walk, task, arg);
}

bool __real_walk_may_call(int program) __attribute__((weak)); /* built without BPF there is none */
bool __wrap_walk_may_call(int program);

bool __wrap_walk_may_call(int program)
{
	seen.programs++;
	return !seen.refuse_calls && __real_walk_may_call(program);
}

/* ---- a process, and a look at it ------------------------------------------------------------ */

static pid_t begin_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static struct memoir *open_walking(void)
{
	const struct memoir_options options = {
		.sz = sizeof(options),
		.engine = MEMOIR_ENGINE_TABLES,
	};
	struct memoir *memoir;

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(memoir_open(&options, &memoir, NULL), 0);
	return memoir;
}

static bool is_asked_for(const struct memoir_process *process, void *arg)
{
	return process->pid == *(const pid_t *)arg;
}

static int look(struct memoir *memoir, pid_t pid, struct memoir_snapshot **ret_snapshot,
		struct memoir_error *error)
{
	const struct memoir_capture_options options = {
		.sz = sizeof(options),
		.wants = is_asked_for,
		.wants_arg = &pid,
		.without_holders = true,
	};

	return memoir_capture(memoir, &options, ret_snapshot, error);
}

/* The regions of a process in a capture of it; 0: it is not there. */
static size_t regions_of(struct memoir *memoir, pid_t pid)
{
	struct memoir_error error = { 0 };
	struct memoir_snapshot *snapshot;

	if (look(memoir, pid, &snapshot, &error) < 0)
		fail_msg("%s", error.text);
	const struct memoir_process *process = memoir_snapshot_find_pid(snapshot, pid);
	size_t regions = process && process->in_scope ? process->region_count : 0;

	memoir_snapshot_free(snapshot);
	return regions;
}

/* In a context of its own. */
static size_t regions_alone(pid_t pid)
{
	struct memoir *memoir = open_walking();
	size_t regions = regions_of(memoir, pid);

	memoir_close(memoir);
	assert_true(regions > 0);
	return regions;
}

/* What a process has in a capture of the sums of all. */
static struct memoir_figures sums_of(struct memoir *memoir, pid_t pid)
{
	const struct memoir_capture_options options = {
		.sz = sizeof(options),
		.without_holders = true,
		.without_regions = true,
	};
	struct memoir_error error = { 0 };
	struct memoir_snapshot *snapshot;

	if (memoir_capture(memoir, &options, &snapshot, &error) < 0)
		fail_msg("%s", error.text);
	const struct memoir_process *process = memoir_snapshot_find_pid(snapshot, pid);
	struct memoir_figures figures = { 0 };

	if (process)
		figures = process->figures;
	memoir_snapshot_free(snapshot);
	return figures;
}

/* In a context of its own. */
static struct memoir_figures sums_alone(pid_t pid)
{
	struct memoir *memoir = open_walking();
	struct memoir_figures sums = sums_of(memoir, pid);

	memoir_close(memoir);
	assert_true(sums.bytes[MEMOIR_RSS] > 0 && sums.bytes[MEMOIR_ANON] > 0);
	return sums;
}

static void assert_same_sums(struct memoir *memoir, pid_t pid, const struct memoir_figures *sums)
{
	struct memoir_figures now = sums_of(memoir, pid);

	assert_int_equal(now.known, sums->known);
	assert_int_equal(now.bytes[MEMOIR_RSS], sums->bytes[MEMOIR_RSS]);
	assert_int_equal(now.bytes[MEMOIR_ANON], sums->bytes[MEMOIR_ANON]);
}

static void skip_without_bpf(void)
{
	struct memoir *memoir = open_walking();
	struct memoir_error error = { 0 };
	struct memoir_snapshot *snapshot;
	int err = look(memoir, getppid(), &snapshot, &error);

	memoir_close(memoir);
	if (err) {
		print_message("skipped: %s\n", error.text);
		skip();
	}
	memoir_snapshot_free(snapshot);
}

static void tasks_are_read_once_while_programs_are_loaded(void **state)
{
	pid_t child;
	struct memoir *memoir;

	(void)state;
	skip_without_bpf();
	child = begin_child();
	memoir = open_walking();
	assert_true(regions_of(memoir, child) > 0);
	assert_int_equal(seen.readings, 1);
	assert_false(pthread_equal(seen.last_reader, pthread_self()));
	memoir_close(memoir);
	end_child(child);
}

static void later_captures_read_them_anew(void **state)
{
	pid_t first, second;
	struct memoir *memoir;

	(void)state;
	skip_without_bpf();
	first = begin_child();
	memoir = open_walking();
	assert_true(regions_of(memoir, first) > 0);
	second = begin_child();
	assert_true(regions_of(memoir, second) > 0);
	end_child(second);
	assert_int_equal(regions_of(memoir, second), 0);
	assert_int_equal(seen.readings, 3);
	memoir_close(memoir);
	end_child(first);
}

static void without_threads_the_same_is_found(void **state)
{
	struct memoir *memoir;
	size_t regions;
	pid_t child;

	(void)state;
	skip_without_bpf();
	child = begin_child();
	regions = regions_alone(child);
	memoir = open_walking();
	seen.refuse_threads = true;
	assert_int_equal(regions_of(memoir, child), regions);
	assert_true(seen.refused > 0);
	assert_int_equal(seen.readings, 1);
	memoir_close(memoir);
	end_child(child);
}

static void where_no_program_can_be_called_locks_are_taken(void **state)
{
	struct memoir *memoir;
	struct kroot *root;
	struct walk *walk;
	size_t regions;
	pid_t child;

	(void)state;
	skip_without_bpf();
	child = begin_child();
	regions = regions_alone(child);
	memoir = open_walking();
	seen.refuse_calls = true;
	assert_int_equal(regions_of(memoir, child), regions);
	memoir_close(memoir);
	end_child(child);
	assert_int_equal(kroot_open(NULL, &root), 0);
	assert_int_equal(walk_open(root, WALK_NAMED_REGIONS, NULL, NULL, &walk, NULL), 0);
	assert_false(walk_is_lockless(walk));
	walk_close(walk);
	kroot_close(root);
}

/* Each has a program of its own, and neither is loaded twice. */
static void sums_and_regions_take_turns(void **state)
{
	struct memoir_figures sums;
	struct memoir *memoir;
	size_t regions;
	pid_t child;

	(void)state;
	skip_without_bpf();
	child = begin_child();
	regions = regions_alone(child);
	sums = sums_alone(child);
	memoir = open_walking();
	for (unsigned int i = 0; i < 3; i++) {
		assert_same_sums(memoir, child, &sums);
		assert_int_equal(regions_of(memoir, child), regions);
	}
	assert_int_equal(seen.readings, 6);
	/* Before Linux 6.14 both are the one that takes locks. */
	assert_true(seen.programs == 2 || seen.programs == 0);
	memoir_close(memoir);
	memoir = open_walking();
	seen.refuse_calls = true;
	for (unsigned int i = 0; i < 2; i++) {
		assert_same_sums(memoir, child, &sums);
		assert_int_equal(regions_of(memoir, child), regions);
	}
	assert_int_equal(seen.readings, 4);
	memoir_close(memoir);
	end_child(child);
}

/* The walk for regions, that is there already, has to read them itself: the other's files are gone with it. */
static void what_is_read_by_a_walk_that_is_given_up_is_read_again(void **state)
{
	struct memoir_figures sums;
	struct memoir *memoir;
	pid_t child;

	(void)state;
	skip_without_bpf();
	child = begin_child();
	sums = sums_alone(child);
	memoir = open_walking();
	assert_true(regions_of(memoir, child) > 0);
	/* Where locks are taken anyway no other walk is tried. */
	bool tried = seen.programs > 0;

	seen.refuse_calls = true;
	for (unsigned int i = 0; i < 2; i++) {
		assert_same_sums(memoir, child, &sums);
		assert_int_equal(seen.readings, tried ? 3 + i : 2 + i);
	}
	memoir_close(memoir);
	end_child(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_are_read_once_while_programs_are_loaded),
		cmocka_unit_test(later_captures_read_them_anew),
		cmocka_unit_test(without_threads_the_same_is_found),
		cmocka_unit_test(where_no_program_can_be_called_locks_are_taken),
		cmocka_unit_test(sums_and_regions_take_turns),
		cmocka_unit_test(what_is_read_by_a_walk_that_is_given_up_is_read_again),
	};

	return cmocka_run_group_tests_name("loading", tests, NULL, NULL);
}
