// SPDX-License-Identifier: MIT
/*
 * How many mappings a name table is, which all who look at a process have to look at: its anchor and the rest, and one
 * more from when the process has several threads.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "names/turn.h"
#include "own_names.h"

#define RANGES 50u

static char memory[RANGES + 1][4096];

static unsigned int count_mappings(void)
{
	unsigned int count = 0;
	char line[512];
	FILE *file = fopen("/proc/self/maps", "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count++;
	fclose(file);
	return count;
}

static int name_some(void)
{
	char name[32];
	int err = 0;

	for (unsigned int i = 0; i < RANGES && !err; i++) {
		snprintf(name, sizeof(name), "range %u", i);
		err = memoir_name(memory[i], sizeof(memory[i]) / 2, name);
	}
	return err;
}

static void names_of_one_thread_are_two_mappings_more(void **state)
{
	unsigned int before = count_mappings();

	(void)state;
	/* The first time it may take memory itself. */
	before = count_mappings();
	assert_int_equal(own_anchor(), 0);
	assert_int_equal(name_some(), 0);
	/* The rest may lie beside memory that it becomes one mapping with. TSan's own are more with each of ours. */
#ifndef __SANITIZE_THREAD__
	assert_in_range(count_mappings(), before + 1, before + 2);
#else
	assert_true(count_mappings() > before);
#endif
	assert_string_equal(own_name_at(memory[7]), "range 7");
	if (&__libc_single_threaded && __libc_single_threaded)
		assert_null(turn.fork_mark);
}

static void a_child_has_them_and_its_own(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(strcmp(own_name_at(memory[7]), "range 7") != 0 ||
		      memoir_name(memory[7], 1, "of child") != 0 ||
		      strcmp(own_name_at(memory[7]), "of child") != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(own_name_at(memory[7]), "range 7");
}

static void *name_by_thread(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)memoir_name(memory[RANGES], 1, "by thread");
}

/* Then a fork may come in the midst of another thread's call. */
static void with_threads_children_are_told(void **state)
{
	pthread_t thread;
	void *err = NULL;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, name_by_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, &err), 0);
	assert_null(err);
	assert_string_equal(own_name_at(memory[RANGES]), "by thread");
	assert_non_null(turn.fork_mark);
	a_child_has_them_and_its_own(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_one_thread_are_two_mappings_more),
		cmocka_unit_test(a_child_has_them_and_its_own),
		cmocka_unit_test(with_threads_children_are_told),
	};

	own_names_by_table();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
