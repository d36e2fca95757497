// SPDX-License-Identifier: MIT
/*
 * A process that ends while its directories in /proc are opened is gone, and memory is not short: the kernel says so to
 * whoever looks at what was opened. By the linker's --wrap it ends just then.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/files.h"
#include "kernel/process.h"

static pid_t victim;

static void end_victim(void)
{
	if (!victim)
		return;
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	victim = 0;
}

DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);

DIR *__wrap_fdopendir(int fd)
{
	end_victim();
	return __real_fdopendir(fd);
}

static pid_t begin_victim(void)
{
	victim = fork();
	assert_true(victim >= 0);
	if (victim == 0)
		for (;;)
			pause();
	return victim;
}

static int take_file(const struct open_file *file, void *arg)
{
	(void)file;
	(void)arg;
	return 0;
}

static int take_thread(pid_t tid, void *arg)
{
	(void)tid;
	(void)arg;
	return 0;
}

/* Older kernels only find the directory empty. */
static void assert_gone(int err)
{
	if (err && err != -ENOENT && err != -ESRCH)
		fail_msg("%d is neither 0 nor that it is gone", err);
}

static void its_open_files_are_gone(void **state)
{
	struct kroot *root;

	(void)state;
	assert_int_equal(kroot_open(NULL, &root), 0);
	const struct files_text text = { .root = root };

	assert_gone(files_text_each(&text, begin_victim(), true, take_file, NULL));
	assert_int_equal(victim, 0);
	kroot_close(root);
}

static void its_threads_are_gone(void **state)
{
	struct kroot *root;

	(void)state;
	assert_int_equal(kroot_open(NULL, &root), 0);
	assert_gone(process_each_thread(root, begin_victim(), take_thread, NULL));
	assert_int_equal(victim, 0);
	kroot_close(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_open_files_are_gone),
		cmocka_unit_test(its_threads_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
