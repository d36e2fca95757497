// SPDX-License-Identifier: MIT
/*
 * A process of 8 threads that name, clear and move at random, with a signal handler that names and children
 * that are forked in the midst of it, while this one reads its table again and again: each time it has to
 * be the table of one moment, and so has what a child finds.
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/memory.h"
#include "own_names.h"

#define THREADS 8
#define PAGE 4096ull
#define BASE 0x300000000ull
#define SHARE (1ull << 24)
#define SECOND (SHARE / 2) /* where in a share its second range is: leaves away from the first */
#define TURNS 1000
#define HANDLERS THREADS /* whose share the signal handlers name in */
#define HANDLER_US 300
#define ONE_FORKS 3000 /* of so many loops of a thread */
#ifdef __SANITIZE_THREAD__
#define READS 1500
#else
#define READS 10000
#endif
#define HANDLED (READS / 20)
#define FORKED (READS / 500)
#define MOST_S 20

static void *address(int thread, uint64_t offset)
{
	return (void *)(uintptr_t)(BASE + (uint64_t)thread * SHARE + offset);
}

/* What the process that is read has done; shared with it. */
static struct {
	uint32_t handled, forked;
} * counts;

static bool own_table_is_of_one_moment(int thread);

/* ---- the process that is read --------------------------------------------------------------- */

/* First one range, then the other: the second is as the first or one turn behind, at every moment. */
static void take_turn(int thread, unsigned int turn)
{
	char name[32];

	snprintf(name, sizeof(name), "first %u", turn);
	memoir_name(address(thread, 0), 3 * PAGE, name);
	snprintf(name, sizeof(name), "second %u", turn);
	memoir_name(address(thread, SECOND), 3 * PAGE, name);
}

static void churn(int thread, unsigned int *seed)
{
	uint64_t offset =
		(16 + (uint64_t)rand_r(seed) % 60) * PAGE + (rand_r(seed) % 2 ? SECOND : 0);
	char name[32];

	snprintf(name, sizeof(name), "other %d", rand_r(seed) % 30);
	memoir_name(address(thread, offset), 1 + (uint64_t)rand_r(seed) % (4 * PAGE),
		    rand_r(seed) % 3 ? name : NULL);
}

static void move(int thread)
{
	void *memory, *moved;
	char name[32];

	snprintf(name, sizeof(name), "moved %d", thread);
	if (memoir_map(4 * PAGE, name, &memory) < 0)
		abort();
	if (memoir_remap(memory, 4 * PAGE, 64 * PAGE, &moved) < 0)
		abort();
	memoir_unmap(moved, 64 * PAGE);
}

static void name_in_handler(int number)
{
	static unsigned int seed = 99;
	int saved = errno;

	(void)number;
	churn(HANDLERS, &seed);
	__atomic_fetch_add(&counts->handled, 1, __ATOMIC_RELAXED);
	errno = saved;
}

/* What the other threads were about is cut off there; the child has a good table, and goes on with it. */
static void fork_in_the_midst(int thread)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(own_table_is_of_one_moment(thread) ? 0 : 1);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		abort();
	__atomic_fetch_add(&counts->forked, 1, __ATOMIC_RELAXED);
}

static void *run_thread(void *arg)
{
	int thread = (int)(intptr_t)arg;
	unsigned int seed = (unsigned int)thread + 1;

	for (unsigned int turn = 1;; turn = (turn + 1) % TURNS) {
		take_turn(thread, turn);
		for (int i = rand_r(&seed) % 4; i >= 0; i--)
			churn(thread, &seed);
		if (rand_r(&seed) % 64 == 0)
			move(thread);
		if (rand_r(&seed) % ONE_FORKS == 0)
			fork_in_the_midst(thread);
	}
	return NULL;
}

static void be_read(void)
{
	const struct itimerval often = { { 0, HANDLER_US }, { 0, HANDLER_US } };
	const struct sigaction action = { .sa_handler = name_in_handler, .sa_flags = SA_RESTART };
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &often, NULL) < 0)
		abort();
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, run_thread, (void *)(intptr_t)i) != 0)
			abort();
	for (;;)
		pause();
}

/* ---- the one that reads --------------------------------------------------------------------- */

struct seen {
	int first[THREADS], second[THREADS];
	size_t others;
};

static bool take_range(struct seen *seen, const struct named_range *range)
{
	uint64_t thread = (range->start - BASE) / SHARE, offset = (range->start - BASE) % SHARE;
	char text[MEMOIR_NAME_MAX];
	int turn;

	if (strncmp(range->name, "moved ", 6) == 0)
		return true;
	if (range->start < BASE || thread > HANDLERS)
		return false;
	if (sscanf(range->name, "%79s %d", text, &turn) != 2)
		return false;
	if (offset != 0 && offset != SECOND) {
		seen->others++;
		return strcmp(text, "other") == 0 && offset % SECOND >= 16 * PAGE &&
		       offset % SECOND < 80 * PAGE + 4 * PAGE;
	}
	if (thread == HANDLERS || range->end - range->start != 3 * PAGE ||
	    strcmp(text, offset ? "second" : "first") != 0)
		return false;
	*(offset ? &seen->second[thread] : &seen->first[thread]) = turn;
	return true;
}

static bool is_of_one_moment(const struct names_table *table)
{
	struct seen seen = { { 0 }, { 0 }, 0 };

	for (size_t i = 0; i < table->count; i++)
		if (!take_range(&seen, &table->ranges[i]))
			return false;
	for (int i = 0; i < THREADS; i++)
		if (seen.first[i] != seen.second[i] &&
		    (seen.second[i] + 1) % TURNS != seen.first[i])
			return false;
	return table->refused == 0;
}

/* In a child of fork: as it is found, and with a name more. */
static bool own_table_is_of_one_moment(int thread)
{
	struct names_table table;
	bool good = own_names(&table) == 0 && is_of_one_moment(&table);

	names_table_free(&table);
	if (!good || memoir_name(address(thread, 20 * PAGE), PAGE, "other 77") < 0 ||
	    strcmp(own_name_at(address(thread, 20 * PAGE)), "other 77") != 0)
		return false;
	good = own_names(&table) == 0 && is_of_one_moment(&table);
	names_table_free(&table);
	return good;
}

static int read_fd(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	return memory_read(*(int *)arg, addr, buffer, bytes);
}

static int open_memory(pid_t pid)
{
	struct kroot *root = NULL;
	int fd;

	assert_int_equal(kroot_open(NULL, &root), 0);
	fd = memory_open(root, pid);
	kroot_close(root);
	assert_true(fd >= 0);
	return fd;
}

/* It is read on until handlers and forks were in the midst of enough: where readings are quick, few are. */
static bool has_read_enough(int readings, time_t until)
{
	if (readings < READS)
		return false;
	return (counts->handled > HANDLED && counts->forked > FORKED) || time(NULL) > until;
}

static void each_reading_is_of_one_moment(void **state)
{
	uint64_t anchor, generations = 0, last = 0;
	struct names_table table;
	struct names_source source = { .read = read_fd };
	size_t busy = 0, ranges = 0;
	time_t until = time(NULL) + MOST_S;
	int readings, fd;
	pid_t pid;

	(void)state;
	assert_int_equal(memoir_name(address(0, 0), 3 * PAGE, "first 0"), 0);
	anchor = own_anchor();
	counts = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(counts != MAP_FAILED);
	pid = fork();
	if (pid == 0)
		be_read();
	fd = open_memory(pid);
	source.arg = &fd;
	for (readings = 0; !has_read_enough(readings, until); readings++) {
		int err;

		/* Where there are few CPUs the others don't run while this one does. */
		if (readings % 4 == 0)
			usleep(20);
		err = names_read(&source, anchor, &table);
		busy += err == -EAGAIN;
		if (err == -EAGAIN)
			continue;
		assert_int_equal(err, 0);
		assert_true(is_of_one_moment(&table));
		generations += table.generation != last;
		last = table.generation;
		ranges = table.count > ranges ? table.count : ranges;
		names_table_free(&table);
	}
	/* It has not ended by itself. */
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	print_message("# %u names by handlers, %u children\n", counts->handled, counts->forked);
	assert_true(counts->handled > HANDLED && counts->forked > FORKED);
	print_message("# %d readings, %zu too busy, %zu ranges, %zu generations up to %zu\n",
		      readings, busy, ranges, (size_t)generations, (size_t)last);
	assert_true(busy * 20 < (size_t)readings);
	assert_true(generations > READS / 100);
	assert_true(ranges > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reading_is_of_one_moment),
	};

	own_names_by_table();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
