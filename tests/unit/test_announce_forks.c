// SPDX-License-Identifier: MIT
/*
 * The calls of memoir/track.h in children of fork and vfork, in signal handlers, and by many threads.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "announced_names.h"

/* ---- fork ----------------------------------------------------------------------------------- */

static int in_child(uint32_t inherited, int fd)
{
	char name[MEMOIR_NAME_MAX];
	uint32_t buffer = 0;

	/* Whose it is shows. */
	if (announced_at(announced_owner(getppid()), NULL) != 1 ||
	    announced_at(announced_owner(getpid()), NULL) != 0)
		return 1;
	if (memoir_buffer_install(inherited, 0) != -ENOENT ||
	    memoir_buffer_uninstall(inherited, 0) != -ENOENT || announced_size(inherited) != 5)
		return 2;
	if (memoir_buffer_init(7, "child", &buffer) < 0 || buffer == inherited ||
	    memoir_buffer_install(buffer, 0) < 0)
		return 3;
	if (announced_count(ANNOUNCED_BUFFER) != 1 || announced_count(ANNOUNCED_OWNER) != 1 ||
	    announced_at(announced_owner(getpid()), NULL) != 1 || announced_size(buffer) != 7)
		return 4;
	if (memoir_buffer_remove(inherited) != -ENOENT || announced_count(ANNOUNCED_BUFFER) != 1)
		return 5;
	if (announced_file_tag(fd, name) != 1 || strcmp(name, "frames") != 0)
		return 6;
	return 0;
}

static void a_child_has_announced_nothing(void **state)
{
	uint32_t buffer = announce_buffer(5, "parent");
	int fd = memfd_create("tagged", MFD_CLOEXEC);
	pid_t pid;

	(void)state;
	memoir_buffer_install(buffer, 0);
	assert_int_equal(memoir_tag_fd(fd, "frames"), 0);
	pid = fork();
	if (pid == 0)
		_exit(in_child(buffer, fd));
	assert_int_equal(announced_wait_for(pid), 0);
	assert_int_equal(announced_size(buffer), 5);
	assert_int_equal(announced_references(buffer, getpid()), 1);
	assert_int_equal(memoir_buffer_remove(buffer), 0);
	memoir_tag_fd(fd, NULL);
	close(fd);
}

#ifndef __SANITIZE_THREAD__ /* which makes it fork */
static void a_child_of_vfork_takes_nothing_away(void **state)
{
	uint32_t before = announce_buffer(5, "before"), after;
	static uint32_t meanwhile;
	pid_t pid;

	(void)state;
	/* NOLINTBEGIN(clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork) */
	pid = vfork();
	if (pid == 0) {
		memoir_buffer_init(6, "meanwhile", &meanwhile);
		_exit(0);
	}
	/* NOLINTEND(clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork) */
	assert_int_equal(announced_wait_for(pid), 0);
	after = announce_buffer(7, "after");
	assert_int_equal(announced_count(ANNOUNCED_OWNER), 1);
	assert_int_equal(announced_at(announced_owner(getpid()), NULL), 1);
	assert_int_equal(announced_size(before), 5);
	assert_int_equal(announced_size(meanwhile), 6);
	memoir_buffer_remove(before);
	memoir_buffer_remove(meanwhile);
	memoir_buffer_remove(after);
}
#endif

/* ---- threads, forks and signals -------------------------------------------------------------- */

#define THREADS 4
#define KEPT 8

static bool stop;

/* Buffers of one thread, or of the handler. What could not be removed is left for the next time. */
struct churner {
	uint32_t buffers[KEPT];
	unsigned int seed;
	uint64_t calls;
};

static void churn(struct churner *c)
{
	uint32_t *buffer = &c->buffers[rand_r(&c->seed) % KEPT];

	c->calls++;
	if (!*buffer) {
		if (memoir_buffer_init(1 + (uint64_t)rand_r(&c->seed), "churn", buffer) < 0)
			*buffer = 0;
	} else if (rand_r(&c->seed) % 4) {
		memoir_buffer_install(*buffer, 1 + rand_r(&c->seed) % 3);
	} else if (memoir_buffer_remove(*buffer) == 0) {
		*buffer = 0;
	}
}

static void *churn_until_stopped(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		churn(arg);
	return NULL;
}

static long kept(const struct churner *churners, size_t count)
{
	long sum = 0;

	for (size_t i = 0; i < count; i++)
		for (int k = 0; k < KEPT; k++)
			sum += churners[i].buffers[k] != 0;
	return sum;
}

static void remove_all(struct churner *churners, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (int k = 0; k < KEPT; k++)
			if (churners[i].buffers[k])
				assert_int_equal(memoir_buffer_remove(churners[i].buffers[k]), 0);
	assert_int_equal(announced_count(ANNOUNCED_BUFFER), 0);
	assert_int_equal(announced_count(ANNOUNCED_REFERENCE), 0);
}

static int in_child_of_threads(void)
{
	struct churner churner = { .seed = 3 };

	if (announced_count(ANNOUNCED_OWNER) != 1)
		return 1;
	while (!churner.buffers[0])
		churn(&churner);
	for (int i = 0; i < 100; i++)
		churn(&churner);
	return announced_count(ANNOUNCED_BUFFER) == kept(&churner, 1) ? 0 : 2;
}

static void threads_announce_while_others_fork(void **state)
{
	static struct churner churners[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	/* So that there is an owner from the first fork on. */
	memoir_buffer_remove(announce_buffer(1, NULL));
	for (unsigned int i = 0; i < THREADS; i++) {
		churners[i].seed = i + 1;
		assert_int_equal(
			pthread_create(&threads[i], NULL, churn_until_stopped, &churners[i]), 0);
	}
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(in_child_of_threads());
		assert_int_equal(announced_wait_for(pid), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* What was left to another call is carried out by the last. */
	assert_int_equal(announced_count(ANNOUNCED_BUFFER), kept(churners, THREADS));
	remove_all(churners, THREADS);
}

static struct churner in_handler = { .seed = 11 };
static volatile sig_atomic_t handled;

static void announce_in_handler(int signal)
{
	int saved = errno;

	(void)signal;
	churn(&in_handler);
	churn(&in_handler);
	handled++;
	errno = saved;
}

static void handlers_announce_within_calls(void **state)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	struct sigaction action = { .sa_handler = announce_in_handler, .sa_flags = SA_RESTART };
	static struct churner churners[2];

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	setitimer(ITIMER_REAL, &often, NULL);
	while (handled < 1500)
		churn(&churners[0]);
	setitimer(ITIMER_REAL, &never, NULL);
	churners[1] = in_handler;
	assert_true(in_handler.calls >= 3000);
	assert_int_equal(announced_count(ANNOUNCED_BUFFER), kept(churners, 2));
	remove_all(churners, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_has_announced_nothing),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(a_child_of_vfork_takes_nothing_away),
#endif
		cmocka_unit_test(threads_announce_while_others_fork),
		cmocka_unit_test(handlers_announce_within_calls),
	};

	own_names_by_table();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
