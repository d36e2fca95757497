// SPDX-License-Identifier: MIT
/*
 * The calls of libmemoir-name: arguments as prctl takes them, memory that is mapped, moved and unmapped,
 * calls from signal handlers, in children of fork and vfork, and from many threads at once.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "own_names.h"

#define PAGE 4096ull
#define BASE 0x300000000ull

static void *at(uint64_t offset)
{
	return (void *)(uintptr_t)(BASE + offset);
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void names_are_checked_as_by_prctl(void **state)
{
	char longest[MEMOIR_NAME_MAX], too_long[MEMOIR_NAME_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(memoir_name(at(0), PAGE, longest), 0);
	assert_string_equal(own_name_at(at(0)), longest);
	assert_int_equal(memoir_name(at(0), PAGE, too_long), -EINVAL);
	assert_string_equal(own_name_at(at(0)), longest);
	for (int c = 1; c < 256; c++) {
		char name[2] = { (char)c, '\0' };
		bool good = c > 0x1f && c < 0x7f && !strchr("\\`$[]", c);

		assert_int_equal(memoir_name(at(0), PAGE, name), good ? 0 : -EINVAL);
		assert_int_equal(memoir_name(at(0), 0, name), good ? 0 : -EINVAL);
	}
	assert_int_equal(memoir_name(at(0), PAGE, ""), 0);
	assert_int_equal(memoir_name(at(0), PAGE, NULL), 0);
	assert_string_equal(own_name_at(at(0)), "");
}

static void ranges_are_checked(void **state)
{
	(void)state;
	assert_int_equal(memoir_name(at(0), SIZE_MAX, "x"), -EINVAL);
	assert_int_equal(memoir_name((void *)-4096, 4096, "x"), -EINVAL);
	assert_int_equal(memoir_name(at(0), 0, "x"), 0);
	assert_string_equal(own_name_at(at(0)), "");
	assert_int_equal(memoir_name(at(5), 3, "x"), 0);
	assert_string_equal(own_name_at(at(4)), "");
	assert_string_equal(own_name_at(at(5)), "x");
	assert_string_equal(own_name_at(at(8)), "");
	assert_int_equal(memoir_name(at(0), PAGE, NULL), 0);
}

static void counts_know_their_size(void **state)
{
	struct memoir_name_counts counts = { .sz = 3 };

	(void)state;
	assert_int_equal(memoir_name_counts(&counts), -EINVAL);
}

static void ids_are_those_of_every_machine(void **state)
{
	(void)state;
	assert_true(memoir_name_hash("") == 0x2d06800538d394c2u);
	assert_true(memoir_name_hash("a") == 0xe6c632b61e964e1fu);
}

/* How names are kept is chosen at the first call: a program of its own for each way. */
static int run_with(const char *mode, const char *what)
{
	pid_t pid = fork();

	if (pid == 0) {
		setenv("MEMOIR_NAMES", mode, 1);
		execl("/proc/self/exe", "test_name_calls", what, NULL);
		_exit(127);
	}
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum { IS_OFF = 10, IS_KERNEL, IS_TABLE, IS_BOTH };

/* In the program of its own: where a name is found. */
static int where_names_are(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool in_kernel = false, in_table;
	char line[256];
	FILE *maps;

	if (memoir_name(page, PAGE, "bad[") != -EINVAL)
		return 1;
	memoir_name(page, PAGE, "where");
	in_table = strcmp(own_name_at(page), "where") == 0;
	maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps))
		in_kernel |= strstr(line, "[anon:where]") != NULL;
	if (maps)
		fclose(maps);
	return in_kernel && in_table ? IS_BOTH
	       : in_kernel           ? IS_KERNEL
	       : in_table            ? IS_TABLE
				     : IS_OFF;
}

static bool kernel_has_names(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool has = prctl(0x53564d41, 0, page, PAGE, "x") == 0;

	munmap(page, PAGE);
	return has;
}

static void names_are_kept_where_they_are_told_to(void **state)
{
	bool kernel = kernel_has_names();

	(void)state;
	assert_int_equal(run_with("off", "where"), IS_OFF);
	assert_int_equal(run_with("table", "where"), IS_TABLE);
	assert_int_equal(run_with("kernel", "where"), kernel ? IS_KERNEL : IS_OFF);
	assert_int_equal(run_with("both", "where"), kernel ? IS_BOTH : IS_TABLE);
	assert_int_equal(run_with("auto", "where"), kernel ? IS_KERNEL : IS_TABLE);
	assert_int_equal(run_with("anything", "where"), kernel ? IS_KERNEL : IS_TABLE);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void memory_moves_with_its_names(void **state)
{
	void *memory = NULL, *moved = NULL, *other;

	(void)state;
	assert_int_equal(memoir_map(8 * PAGE, "mapped", &memory), 0);
	assert_int_equal(memoir_name((char *)memory + PAGE, PAGE, "second"), 0);
	/* What follows keeps it from growing where it is. */
	other = mmap((char *)memory + 8 * PAGE, PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_int_equal(memoir_remap(memory, 8 * PAGE, 16 * PAGE, &moved), 0);
	assert_ptr_not_equal(moved, memory);
	assert_string_equal(own_name_at(memory), "");
	assert_string_equal(own_name_at(moved), "mapped");
	assert_string_equal(own_name_at((char *)moved + PAGE), "second");
	assert_string_equal(own_name_at((char *)moved + 16 * PAGE - 1), "mapped");
	memory = moved;
	assert_int_equal(memoir_remap(memory, 16 * PAGE, 2 * PAGE, &moved), 0);
	assert_ptr_equal(moved, memory);
	assert_string_equal(own_name_at((char *)moved + PAGE), "second");
	assert_string_equal(own_name_at((char *)moved + 2 * PAGE), "");
	assert_int_equal(memoir_unmap((char *)moved + 1, PAGE), -EINVAL);
	assert_int_equal(memoir_unmap(moved, 2 * PAGE), 0);
	assert_string_equal(own_name_at(moved), "");
	assert_int_equal(memoir_map(PAGE, "a[", &memory), -EINVAL);
	if (other != MAP_FAILED)
		munmap(other, PAGE);
}

static void memory_moves_as_flags_say(void **state)
{
	void *memory = NULL, *target = NULL, *moved = NULL;

	(void)state;
	assert_int_equal(memoir_map(8 * PAGE, "one", &memory), 0);
	assert_int_equal(memoir_map(8 * PAGE, "two", &target), 0);
	/* A part of a named range, onto a part of another. */
	assert_int_equal(memoir_remap_flags((char *)memory + PAGE, 2 * PAGE, 2 * PAGE,
					    MREMAP_MAYMOVE | MREMAP_FIXED, (char *)target + PAGE,
					    &moved),
			 0);
	assert_ptr_equal(moved, (char *)target + PAGE);
	assert_string_equal(own_name_at(target), "two");
	assert_string_equal(own_name_at((char *)target + 3 * PAGE - 1), "one");
	assert_string_equal(own_name_at((char *)target + 3 * PAGE), "two");
	assert_string_equal(own_name_at(memory), "one");
	assert_string_equal(own_name_at((char *)memory + PAGE), "");
	assert_string_equal(own_name_at((char *)memory + 3 * PAGE), "one");
	assert_int_equal(memoir_remap_flags((char *)memory + 3 * PAGE, 2 * PAGE, 2 * PAGE,
					    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL, &moved),
			 0);
	assert_string_equal(own_name_at(moved), "one");
	assert_string_equal(own_name_at((char *)memory + 3 * PAGE), "one");
	assert_int_equal(memoir_unmap(moved, 2 * PAGE), 0);
	assert_int_equal(memoir_remap_flags((char *)memory + 1, PAGE, PAGE, 0, NULL, &moved),
			 -EINVAL);
	/* Nothing is moved, so no name is. */
	assert_int_not_equal(memoir_remap_flags((char *)memory + 3 * PAGE, 0, PAGE, MREMAP_MAYMOVE,
						NULL, &moved),
			     0);
	assert_string_equal(own_name_at((char *)memory + 3 * PAGE), "one");
	memoir_unmap(memory, 8 * PAGE);
	memoir_unmap(target, 8 * PAGE);
	assert_int_equal(memoir_name_places(), MEMOIR_NAMES_IN_TABLE);
}

/* ---- fork ----------------------------------------------------------------------------------- */

static int wait_for(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_child_has_all_names_and_its_own_from_then_on(void **state)
{
	pid_t pid;

	(void)state;
	memoir_name(at(0), PAGE, "parent");
	pid = fork();
	if (pid == 0) {
		bool good = strcmp(own_name_at(at(0)), "parent") == 0 &&
			    memoir_name(at(0), PAGE, "child") == 0 &&
			    strcmp(own_name_at(at(0)), "child") == 0;

		_exit(good ? 0 : 1);
	}
	assert_int_equal(wait_for(pid), 0);
	assert_string_equal(own_name_at(at(0)), "parent");
}

static void a_child_of_vfork_does_no_harm(void **state)
{
	pid_t pid;

	(void)state;
	/* NOLINTBEGIN(clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork) */
	pid = vfork();
	if (pid == 0) {
		memoir_name(at(0), PAGE, "by vfork");
		_exit(0);
	}
	/* NOLINTEND(clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork) */
	assert_int_equal(wait_for(pid), 0);
	assert_int_equal(memoir_name(at(PAGE), PAGE, "after"), 0);
	assert_string_equal(own_name_at(at(PAGE)), "after");
	memoir_name(at(0), 2 * PAGE, NULL);
}

/* ---- many threads, forks and signals in the midst ------------------------------------------- */

#define THREADS 4
#define SHARE (1ull << 26)

static bool stop;

/* Each thread names its own addresses, so that it knows what they are called. */
static uint64_t share_of(int thread)
{
	return (uint64_t)(thread + 1) * SHARE;
}

static void churn(int thread, unsigned int *seed)
{
	uint64_t start = share_of(thread) + (uint64_t)rand_r(seed) % 200 * PAGE;
	char name[32];

	snprintf(name, sizeof(name), "thread %d name %d", thread, rand_r(seed) % 50);
	memoir_name(at(start), PAGE * (1 + (uint64_t)rand_r(seed) % 4),
		    rand_r(seed) % 3 ? name : NULL);
}

static void *churn_until_stopped(void *arg)
{
	int thread = (int)(intptr_t)arg;
	unsigned int seed = (unsigned int)thread;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		churn(thread, &seed);
	return NULL;
}

/* Names of a thread's addresses are that thread's. */
static bool is_consistent(void)
{
	struct names_table table;
	bool good = own_names(&table) == 0;

	for (size_t i = 0; good && i < table.count; i++) {
		uint64_t share = (table.ranges[i].start - BASE) / SHARE;
		int thread = -1;

		if (share < 1 || share > THREADS)
			continue;
		good = sscanf(table.ranges[i].name, "thread %d name", &thread) == 1 &&
		       thread + 1 == (int)share &&
		       (table.ranges[i].end - BASE - 1) / SHARE == share;
	}
	names_table_free(&table);
	return good;
}

static size_t count_in_share(int thread)
{
	struct names_table table;
	size_t count = 0;

	if (own_names(&table) < 0)
		return 0;
	for (size_t i = 0; i < table.count; i++)
		count += (table.ranges[i].start - BASE) / SHARE == (uint64_t)thread + 1;
	names_table_free(&table);
	return count;
}

/* What the library counts is what there is, though a call may have been cut off by the fork. */
static bool counts_are_right(void)
{
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	struct names_table table;
	bool counted = memoir_name_counts(&counts) == 0;
	bool good = own_names(&table) == 0 && counted && counts.ranges == table.count;

	names_table_free(&table);
	return good;
}

static int in_child(void)
{
	unsigned int seed = 1;

	if (!is_consistent())
		return 1;
	if (!counts_are_right())
		return 4;
	for (int i = 0; i < 300; i++)
		churn(i % THREADS, &seed);
	if (memoir_name(at(share_of(0)), SHARE, "thread 0 name again") < 0 ||
	    strcmp(own_name_at(at(share_of(0) + SHARE - 1)), "thread 0 name again") != 0)
		return 2;
	return is_consistent() ? 0 : 3;
}

static void forks_in_the_midst_leave_a_good_table(void **state)
{
	pthread_t threads[THREADS];
	int told = 0;

	(void)state;
	stop = false;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn_until_stopped,
						(void *)(intptr_t)i),
				 0);
	/* Whatever a child says the threads are to end, or the tests behind this one wait for their turn for good. */
	for (int i = 0; i < 300 && !told; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(in_child());
		told = wait_for(pid);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(told, 0);
	memoir_name(at(0), (THREADS + 1) * SHARE, NULL);
}

#define FIRST_FORKS 1000

/* In a process of its own: threads make its first calls, and meanwhile it forks. */
static int fork_at_first_calls(int delay)
{
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	pthread_t threads[THREADS];
	pid_t pid;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, churn_until_stopped, (void *)(intptr_t)i))
			return 9;
	for (volatile int i = 0; i < delay; i = i + 1)
		;
	pid = fork();
	if (pid == 0)
		_exit(memoir_name_counts(&counts) < 0); /* it is its turn */
	int told = wait_for(pid) >> 8;

	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return told;
}

static void forks_at_the_first_calls_leave_the_turn_free(void **state)
{
	int told = 0;

	(void)state;
	stop = false;
	for (int i = 0; i < FIRST_FORKS && !told; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(fork_at_first_calls(i * 37 % 20000));
		told = wait_for(pid);
	}
	assert_int_equal(told, 0);
}

/* As many handlers may leave their names to one call that they interrupt. */
#define PLACES 16

static volatile sig_atomic_t handled, refused, forked, in_a_row;
static volatile int fork_status;
static unsigned int handler_calls;

static void name_in_handler(int signal)
{
	unsigned int seed = ++handler_calls;
	int saved = errno;

	(void)signal;
	if (memoir_name(at(share_of(1) + seed * 2 * PAGE), PAGE, "thread 1 name of handler") == 0)
		handled++;
	else if (in_a_row < PLACES)
		refused++;
	in_a_row++;
	if (seed % 16 == 0) {
		pid_t pid = fork();

		if (pid == 0) {
			/* Back into the call that was interrupted, and on from there. */
			forked = 1;
			errno = saved;
			return;
		}
		waitpid(pid, (int *)&fork_status, 0);
		if (fork_status)
			abort();
	}
	errno = saved;
}

static void handlers_name_and_fork_within_calls(void **state)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	struct sigaction action = { .sa_handler = name_in_handler, .sa_flags = SA_RESTART };
	unsigned int seed = 7;

	(void)state;
	handled = 0;
	handler_calls = 0;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	setitimer(ITIMER_REAL, &often, NULL);
	while (handled < 2000) {
		in_a_row = 0;
		churn(0, &seed);
		if (forked) {
			/* The timer is not the child's. */
			for (int i = 0; i < 20; i++)
				churn(0, &seed);
			_exit(in_child());
		}
	}
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(refused, 0);
	assert_true(is_consistent());
	assert_int_equal(count_in_share(1), handled);
	memoir_name(at(0), (THREADS + 1) * SHARE, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#ifndef __SANITIZE_THREAD__
		/* As long as there is one thread. Its child would begin one in the handler. */
		cmocka_unit_test(handlers_name_and_fork_within_calls),
#endif
		cmocka_unit_test(forks_at_the_first_calls_leave_the_turn_free),
		cmocka_unit_test(names_are_checked_as_by_prctl),
		cmocka_unit_test(ranges_are_checked),
		cmocka_unit_test(counts_know_their_size),
		cmocka_unit_test(ids_are_those_of_every_machine),
		cmocka_unit_test(names_are_kept_where_they_are_told_to),
		cmocka_unit_test(memory_moves_with_its_names),
		cmocka_unit_test(memory_moves_as_flags_say),
		cmocka_unit_test(a_child_has_all_names_and_its_own_from_then_on),
		cmocka_unit_test(a_child_of_vfork_does_no_harm),
		cmocka_unit_test(forks_in_the_midst_leave_a_good_table),
		cmocka_unit_test(handlers_name_and_fork_within_calls),
	};

	if (argc > 1)
		return strcmp(argv[1], "where") == 0 ? where_names_are() : 1;
	own_names_by_table();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
