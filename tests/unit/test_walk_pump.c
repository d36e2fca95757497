// SPDX-License-Identifier: MIT
/*
 * Arenas that one or two walkers fill while another thread takes them out: from a source of made-up processes each comes
 * once, whole and in order, whoever walks it; and whatever fails is returned, with no thread left.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/walk_pump.h"

#define ROOM 64u /* records in an arena */
#define PROCESSES 400u
#define SEEDS 60u
#define WAIT_S 20
#define HANGS_S 100u

struct record {
	uint32_t process, number;
};

struct process {
	uint32_t records;
	bool large; /* not for the second walker */
	unsigned int seen;
};

/* A walk that fails at the n-th call of what is counted here; 0: never. */
enum failing { FIRST, SECOND, BEGINNING, TAKING, FAILINGS };

struct walk_made_up {
	struct walk_source source;
	struct walk_state states[WALK_WALKERS];
	struct record arenas[WALK_ARENAS + 1][ROOM];
	struct process processes[PROCESSES];
	uint32_t count, next;
	struct {
		uint32_t process, done;
		unsigned int random, calls;
		bool elsewhere; /* called by another thread than the one that began the walk */
	} walkers[WALK_WALKERS];
	pthread_t caller;
	bool delays;
	/* The first walker waits for the second: before which of its calls, and until how many of the other's. */
	unsigned int waits_before, waits_for;
	sem_t second_called;
	unsigned int fails_at[FAILINGS];
	/* Taken out so far. */
	unsigned int takings, beginnings;
	uint32_t in, number; /* the process at hand, and which of its records is to come */
	bool wrong, elsewhere;
};

/* ---- a source ------------------------------------------------------------------------------- */

static void delay(struct walk_made_up *w, unsigned int *random)
{
	const struct timespec some = { .tv_nsec = rand_r(random) % 200000 };

	if (!w->delays)
		return;
	if (rand_r(random) % 4 == 0)
		nanosleep(&some, NULL);
	else if (rand_r(random) % 2)
		sched_yield();
}

static enum walk_fill take(struct walk_made_up *w, unsigned int walker)
{
	uint32_t i = __atomic_load_n(&w->next, __ATOMIC_RELAXED);

	do {
		if (i >= w->count)
			return WALK_FILL_END;
		if (walker && w->processes[i].large)
			return WALK_FILL_NOT_NOW;
	} while (!__atomic_compare_exchange_n(&w->next, &i, i + 1, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	w->walkers[walker].process = i;
	w->walkers[walker].done = 0;
	w->states[walker].begun = 1;
	return WALK_FILL_GOES_ON;
}

/* Until the process ends, or the arena, or, now and then, just so. */
static void write_records(struct walk_made_up *w, unsigned int walker)
{
	struct walk_state *state = &w->states[walker];
	uint32_t process = w->walkers[walker].process, *done = &w->walkers[walker].done;

	while (*done < w->processes[process].records) {
		uint64_t at = state->used / sizeof(struct record);

		if (at == ROOM) {
			state->full = 1;
			return;
		}
		if (rand_r(&w->walkers[walker].random) % 1000 == 0)
			return;
		w->arenas[state->arena][at] = (struct record){ process, (*done)++ };
		state->used += sizeof(struct record);
	}
	state->begun = 0;
}

static void wait_for_second(struct walk_made_up *w)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	for (unsigned int i = 0; i < w->waits_for; i++)
		while (sem_timedwait(&w->second_called, &until) < 0 && errno == EINTR)
			;
}

static int fill(struct walk_source *source, unsigned int walker, enum walk_fill *ret_fill)
{
	struct walk_made_up *w = (struct walk_made_up *)source;
	struct walk_state *state = source->states[walker];
	uint64_t enough = walker ? 0 : sizeof(w->arenas[0]) / 2;

	w->walkers[walker].calls++;
	w->walkers[walker].elsewhere |= !pthread_equal(pthread_self(), w->caller);
	if (walker)
		sem_post(&w->second_called);
	else if (w->walkers[0].calls == w->waits_before)
		wait_for_second(w);
	delay(w, &w->walkers[walker].random);
	if (w->walkers[walker].calls == w->fails_at[walker ? SECOND : FIRST])
		return walker ? -EIO : -ENOMEM;
	*ret_fill = WALK_FILL_GOES_ON;
	while (!state->full && (state->begun || state->used <= enough)) {
		if (!state->begun)
			*ret_fill = take(w, walker);
		if (*ret_fill != WALK_FILL_GOES_ON)
			break;
		write_records(w, walker);
		if (rand_r(&w->walkers[walker].random) % 50 == 0)
			break;
	}
	return 0;
}

static int begun(void *arg)
{
	struct walk_made_up *w = arg;

	w->elsewhere |= !pthread_equal(pthread_self(), w->caller);
	w->wrong |= w->takings;
	delay(w, &w->walkers[1].random);
	return ++w->beginnings == w->fails_at[BEGINNING] ? -ESRCH : 0;
}

/* ---- taking out ------------------------------------------------------------------------------ */

static void take_record(struct walk_made_up *w, const struct record *record)
{
	struct process *process;

	/* Another one only when the last one was whole. */
	if (w->number == 0)
		w->in = record->process;
	w->wrong |= record->process != w->in || record->number != w->number || w->in >= w->count;
	if (w->wrong)
		return;
	process = &w->processes[w->in];
	if (++w->number == process->records) {
		process->seen++;
		w->number = 0;
	}
}

static int each(const char *records, uint64_t used, void *arg)
{
	struct walk_made_up *w = arg;

	delay(w, &w->walkers[1].random); /* of the thread that is the second walker, too */
	w->elsewhere |= !pthread_equal(pthread_self(), w->caller);
	w->wrong |= w->beginnings != 1;
	if (++w->takings == w->fails_at[TAKING])
		return -EBADMSG;
	for (uint64_t at = 0; at < used; at += sizeof(struct record))
		take_record(w, (const struct record *)(records + at));
	return 0;
}

/* ---- walks ----------------------------------------------------------------------------------- */

static struct walk_made_up *make(unsigned int seed, uint32_t count, uint32_t most_records)
{
	struct walk_made_up *w = calloc(1, sizeof(*w));
	unsigned int random = seed;

	assert_non_null(w);
	w->source = (struct walk_source){
		.fill = fill,
		.states = { &w->states[0], &w->states[1] },
		.bytes = (const char *)w->arenas,
		.stride = sizeof(w->arenas[0]),
		.many = seed % 4 > 1,
		.begun = begun,
		.begun_arg = w,
	};
	w->count = count;
	w->caller = pthread_self();
	w->walkers[0].random = seed + 1000;
	w->walkers[1].random = seed + 2000;
	sem_init(&w->second_called, 0, 0);
	for (uint32_t i = 0; i < count; i++) {
		/* Now and then more than an arena holds; a process that is told of by nothing is none. */
		uint32_t most = rand_r(&random) % 20 ? most_records : 4 * most_records;

		w->processes[i].records = 1 + (uint32_t)rand_r(&random) % most;
		w->processes[i].large = rand_r(&random) % 10 == 0;
	}
	return w;
}

static void end(struct walk_made_up *w)
{
	sem_destroy(&w->second_called);
	free(w);
}

static int run(struct walk_made_up *w)
{
	return walk_pump(&w->source, each, w);
}

static void all_came_once(const struct walk_made_up *w)
{
	assert_false(w->wrong);
	assert_false(w->elsewhere);
	assert_int_equal(w->number, 0);
	assert_int_equal(w->beginnings, 1);
	for (uint32_t i = 0; i < w->count; i++)
		assert_int_equal(w->processes[i].seen, 1);
}

static unsigned int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* One that was joined may be listed for a moment. */
static void no_thread_is_left(unsigned int before)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; i < WAIT_S * 1000 && threads() > before; i++)
		nanosleep(&moment, NULL);
	assert_true(threads() <= before);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void each_process_comes_once_whole_and_in_order(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct walk_made_up *w = make(seed, PROCESSES, seed % 3 ? ROOM / 2 : ROOM / 8);

		w->delays = seed % 2;
		assert_int_equal(run(w), 0);
		all_came_once(w);
		assert_false(w->walkers[1].elsewhere);
		end(w);
	}
}

/* The first walker has filled one arena, and then waits until the other has walked some processes, of whatever size. */
static void a_second_walker_goes_on_while_there_is_nothing_to_take_out(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct walk_made_up *w = make(seed, PROCESSES, ROOM / 2);

		for (uint32_t i = 0; i < w->count; i++)
			w->processes[i].large = false;
		/* So that the first arena ends with a process. */
		w->processes[0].records = ROOM / 2 + 1;
		w->processes[1].records = 3 * ROOM;
		w->waits_before = 2;
		w->waits_for = 20;
		assert_int_equal(run(w), 0);
		all_came_once(w);
		assert_true(w->walkers[1].calls >= 20);
		assert_true(w->walkers[0].elsewhere);
		assert_false(w->walkers[1].elsewhere);
		end(w);
	}
}

/* Its rest comes with the next arena, which the first walker takes its time for; then there is nobody but large ones. */
static void a_second_walker_never_comes_between(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct walk_made_up *w = make(seed, PROCESSES, ROOM / 2);

		w->delays = true;
		for (uint32_t i = 0; i < w->count; i += 2)
			w->processes[i].records = 2 * ROOM;
		assert_int_equal(run(w), 0);
		all_came_once(w);
		end(w);

		w = make(seed, PROCESSES, ROOM / 2);
		for (uint32_t i = 1; i < w->count; i++)
			w->processes[i].large = true;
		assert_int_equal(run(w), 0);
		all_came_once(w);
		end(w);
	}
}

static void alone_there_is_one_thread(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct walk_made_up *w = make(seed, PROCESSES, ROOM);

		w->source.alone = true;
		w->source.many = false;
		assert_int_equal(run(w), 0);
		all_came_once(w);
		assert_false(w->walkers[0].elsewhere);
		assert_int_equal(w->walkers[1].calls, 0);
		end(w);
	}
}

static void where_there_is_no_second_walker_none_is_called(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		struct walk_made_up *w = make(seed, PROCESSES, ROOM);

		w->delays = seed % 2;
		w->source.states[1] = NULL;
		assert_int_equal(run(w), 0);
		all_came_once(w);
		assert_true(w->walkers[0].elsewhere);
		assert_int_equal(w->walkers[1].calls, 0);
		end(w);
	}
}

static void what_fits_into_one_arena_takes_no_thread(void **state)
{
	(void)state;
	for (uint32_t count = 0; count < 4; count++) {
		struct walk_made_up *w = make(1, count, 1); /* and not many */

		for (uint32_t i = 0; i < count; i++)
			w->processes[i].records = 1 + i;
		/* Such as would end the first call early. */
		w->walkers[0].random = 7;
		assert_int_equal(run(w), 0);
		all_came_once(w);
		assert_false(w->walkers[0].elsewhere);
		assert_int_equal(w->walkers[0].calls, 1);
		assert_int_equal(w->walkers[1].calls, 0);
		assert_int_equal(w->takings, 1);
		end(w);
	}
}

/* What was taken out before is whole and in order all the same. */
static void an_error_is_returned(enum failing failing, int error)
{
	unsigned int before = threads();

	for (unsigned int at = 1; at <= SEEDS; at++) {
		struct walk_made_up *w = make(at, PROCESSES, ROOM / 2);

		w->processes[0].records = ROOM / 2 + 1;
		w->processes[1].large = w->processes[2].large = false;
		w->delays = at % 2;
		w->fails_at[failing] = 1 + (failing == SECOND ? at % 2 : at / 2);
		if (failing == SECOND) {
			w->waits_before = 2;
			w->waits_for = w->fails_at[failing];
		}
		assert_int_equal(run(w), error);
		assert_false(w->wrong);
		for (uint32_t i = 0; i < w->count; i++)
			assert_true(w->processes[i].seen <= 1);
		no_thread_is_left(before);
		end(w);
	}
}

static void errors_of_the_first_walker_are_returned(void **state)
{
	(void)state;
	an_error_is_returned(FIRST, -ENOMEM);
}

static void errors_of_the_second_walker_are_returned(void **state)
{
	(void)state;
	an_error_is_returned(SECOND, -EIO);
}

static void errors_of_who_is_told_that_it_has_begun_are_returned(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		unsigned int before = threads();
		struct walk_made_up *w = make(seed, PROCESSES, ROOM / 2);

		w->delays = seed % 2;
		w->fails_at[BEGINNING] = 1;
		assert_int_equal(run(w), -ESRCH);
		assert_int_equal(w->takings, 0);
		no_thread_is_left(before);
		end(w);
	}
}

static void errors_of_taking_out_are_returned(void **state)
{
	(void)state;
	an_error_is_returned(TAKING, -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_process_comes_once_whole_and_in_order),
		cmocka_unit_test(a_second_walker_goes_on_while_there_is_nothing_to_take_out),
		cmocka_unit_test(a_second_walker_never_comes_between),
		cmocka_unit_test(alone_there_is_one_thread),
		cmocka_unit_test(where_there_is_no_second_walker_none_is_called),
		cmocka_unit_test(what_fits_into_one_arena_takes_no_thread),
		cmocka_unit_test(errors_of_the_first_walker_are_returned),
		cmocka_unit_test(errors_of_the_second_walker_are_returned),
		cmocka_unit_test(errors_of_who_is_told_that_it_has_begun_are_returned),
		cmocka_unit_test(errors_of_taking_out_are_returned),
	};

	/* What hangs is ended, and so fails. */
	alarm(HANGS_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
