// SPDX-License-Identifier: MIT
/*
 * Threads that share a piece of work: where they begin, where they may go, and that all of it is done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/crew.h"

#define PIECES 1000u
#define TRIES 20
#define ROUNDS 5
#define WAIT_S 20

struct pieces {
	uint32_t next;
	uint32_t done[PIECES];
};

static void do_pieces(void *arg)
{
	struct pieces *pieces = arg;
	uint32_t i;

	while ((i = __atomic_fetch_add(&pieces->next, 1, __ATOMIC_RELAXED)) < PIECES)
		pieces->done[i]++;
}

static void all_is_done_once_when_a_crew_is_back(void **state)
{
	(void)state;
	for (unsigned int threads = 0; threads < 9; threads++) {
		struct pieces pieces = { 0 };

		crew_run(threads, do_pieces, &pieces);
		for (uint32_t i = 0; i < PIECES; i++)
			assert_int_equal(pieces.done[i], 1);
	}
}

struct look {
	sem_t may_look;
	cpu_set_t allowed;
};

static void *look_where_it_may_go(void *arg)
{
	struct look *look = arg;

	while (sem_wait(&look->may_look) < 0)
		;
	(void)sched_getaffinity(0, sizeof(look->allowed), &look->allowed);
	return NULL;
}

static void a_thread_may_go_where_its_maker_may(void **state)
{
	struct look look;
	cpu_set_t allowed;
	pthread_t thread;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	sem_init(&look.may_look, 0, 0);
	assert_int_equal(crew_thread(&thread, look_where_it_may_go, &look), 0);
	sem_post(&look.may_look);
	pthread_join(thread, NULL);
	sem_destroy(&look.may_look);
	assert_true(CPU_EQUAL(&look.allowed, &allowed));
}

static void *note_cpu(void *arg)
{
	__atomic_store_n((int *)arg, sched_getcpu(), __ATOMIC_RELAXED);
	return NULL;
}

/* Never sleeps, as that would leave the CPU to the thread. */
static bool begins_elsewhere(void)
{
	int here = sched_getcpu(), there = -1;
	time_t end = time(NULL) + WAIT_S;
	pthread_t thread;

	assert_int_equal(crew_thread(&thread, note_cpu, &there), 0);
	while (__atomic_load_n(&there, __ATOMIC_RELAXED) < 0 && time(NULL) < end)
		;
	pthread_join(thread, NULL);
	return there != here;
}

/* Not each time: what else runs may have moved one of the two, with six others on two CPUs in every fourth. */
static void a_thread_begins_on_another_cpu(void **state)
{
	int elsewhere = 0;

	(void)state;
	if (crew_cpus() < 2)
		skip();
	for (int round = 0; round < ROUNDS && elsewhere < TRIES * 3 / 4; round++) {
		elsewhere = 0;
		for (int i = 0; i < TRIES; i++)
			elsewhere += begins_elsewhere();
	}
	assert_in_range(elsewhere, TRIES * 3 / 4, TRIES);
}

static void where_there_is_one_cpu_it_does_all(void **state)
{
	struct pieces pieces = { 0 };
	cpu_set_t allowed, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(crew_cpus(), 1);
	crew_run(3, do_pieces, &pieces);
	assert_int_equal(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
	assert_int_equal(crew_cpus(), CPU_COUNT(&allowed));
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(pieces.done[i], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_done_once_when_a_crew_is_back),
		cmocka_unit_test(a_thread_may_go_where_its_maker_may),
		cmocka_unit_test(a_thread_begins_on_another_cpu),
		cmocka_unit_test(where_there_is_one_cpu_it_does_all),
	};

	return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
