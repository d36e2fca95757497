// SPDX-License-Identifier: MIT
/*
 * The turn: one word, a flag for each thread, and a few places for requests that could not wait. A child
 * of fork finds it free again, though the thread that had it is not there.
 */
#include "names/turn.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "names/system.h"

#define SPINS 2000
#define ROUNDS 1000
/* Who has the turn may not be running: up to some 100 ms for it, once. */
#define YIELDS 20
#define SLEEPS 2000
#define SLEEP_NS 50000
#define PLACES 16

enum { PLACE_FREE, PLACE_TAKEN, PLACE_READY };

struct turn turn = { .over = 1 };

static uint32_t given_up;     /* nobody waits any more for the turn that comes after so many */
static uint32_t places_order; /* of the next request */
static pid_t first_pid; /* the process that takes turns without a mark; -: it is settling a fork */

static struct {
	uint32_t state;
	uint32_t order;
	struct request request;
} places[PLACES];

__thread volatile bool turn_within __attribute__((tls_model("initial-exec")));

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* ---- fork ----------------------------------------------------------------------------------- */

/* What of a place is for no child of fork: half of a request, and what only its parent announces. */
static bool is_left_behind(int i)
{
	uint32_t state = __atomic_load_n(&places[i].state, __ATOMIC_ACQUIRE);

	return state == PLACE_TAKEN ||
	       (state == PLACE_READY && places[i].request.what >= REQUEST_BUFFER);
}

/* Only this thread is here: who had the turn, or was about to fill a place, is not. */
static void free_of_others(void)
{
	if (__atomic_load_n(&turn.taken, __ATOMIC_ACQUIRE))
		turn.must_recover = true;
	for (int i = 0; i < PLACES; i++) {
		if (!is_left_behind(i))
			continue;
		__atomic_store_n(&places[i].state, PLACE_FREE, __ATOMIC_RELEASE);
		__atomic_fetch_sub(&turn.waiting, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&turn.taken, 0, __ATOMIC_SEQ_CST);
}

static void settle_fork(void)
{
	uint32_t expected = FORK_CHILD;

	if (!__atomic_compare_exchange_n(turn.fork_mark, &expected, FORK_SETTLING, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	free_of_others();
	__atomic_store_n(turn.fork_mark, FORK_SETTLED, __ATOMIC_SEQ_CST);
}

/*
 * Before there is a mark, only first calls beside other threads can have been cut off by a fork: who is about to take
 * the turn then says before in which process, so that a child finds out whose turn it was.
 */
static void settle_first(void)
{
	pid_t own = getpid(), pid = __atomic_load_n(&first_pid, __ATOMIC_ACQUIRE);

	while (pid != own) {
		if (pid == -own) {
			relax();
			pid = __atomic_load_n(&first_pid, __ATOMIC_ACQUIRE);
		} else if (__atomic_compare_exchange_n(&first_pid, &pid, -own, false,
						       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			if (pid)
				free_of_others();
			__atomic_store_n(&first_pid, own, __ATOMIC_SEQ_CST);
			return;
		}
	}
}

static bool is_settled(void)
{
	const uint32_t *mark = __atomic_load_n(&turn.fork_mark, __ATOMIC_ACQUIRE);

	return !mark || __atomic_load_n(mark, __ATOMIC_ACQUIRE) == FORK_SETTLED;
}

static int make_mark(void)
{
	uint32_t *mark;

	__atomic_store_n(&first_pid, getpid(), __ATOMIC_SEQ_CST);
	mark = system_map_wiped();
	if (!mark)
		return -ENOMEM;
	*mark = FORK_SETTLED;
	__atomic_store_n(&turn.fork_mark, mark, __ATOMIC_RELEASE);
	/* Between the two a fork may have come: then this is a child, in which nobody else is. */
	if (__atomic_load_n(&first_pid, __ATOMIC_ACQUIRE) != getpid())
		__atomic_store_n(mark, FORK_SETTLED, __ATOMIC_RELEASE);
	return 0;
}

/* ---- the turn ------------------------------------------------------------------------------- */

/* With `within` set: nothing in this thread comes between. */
static bool spin(int spins)
{
	while (spins--) {
		if (!is_settled())
			settle_fork();
		if (turn_try())
			return true;
		relax();
	}
	return false;
}

static bool begin(int spins)
{
	turn_within = true;
	turn_compiler_barrier();
	if (!__atomic_load_n(&turn.fork_mark, __ATOMIC_ACQUIRE))
		settle_first();
	if (!spin(spins)) {
		turn_compiler_barrier();
		turn_within = false;
		return false;
	}
	if (!turn.fork_mark && !turn_is_alone() && make_mark() < 0) {
		__atomic_store_n(&turn.taken, 0, __ATOMIC_SEQ_CST);
		turn_compiler_barrier();
		turn_within = false;
		return false;
	}
	if (turn.must_recover) {
		turn_work.recover();
		turn.must_recover = false;
	}
	return true;
}

bool turn_is_within(void)
{
	return turn_within;
}

/* ---- requests that wait --------------------------------------------------------------------- */

static bool is_ready(int i)
{
	return __atomic_load_n(&places[i].state, __ATOMIC_SEQ_CST) == PLACE_READY;
}

static bool any_ready(void)
{
	for (int i = 0; i < PLACES; i++)
		if (is_ready(i))
			return true;
	return false;
}

static int scan_ready(void)
{
	int first = -1;

	for (int i = 0; i < PLACES; i++)
		if (is_ready(i) &&
		    (first < 0 || (int32_t)(places[i].order - places[first].order) < 0))
			first = i;
	return first;
}

/* An earlier request of the same thread may have come in behind the scan: then the next one sees it. */
static int find_ready(void)
{
	int first = scan_ready(), before;

	do {
		before = first;
		first = scan_ready();
	} while (first != before);
	return first;
}

void turn_carry_out_waiting(void)
{
	int i;

	while (turn_are_waiting() && (i = find_ready()) >= 0) {
		turn_work.carry_out(&places[i].request);
		__atomic_store_n(&places[i].state, PLACE_FREE, __ATOMIC_RELEASE);
		__atomic_fetch_sub(&turn.waiting, 1, __ATOMIC_SEQ_CST);
	}
}

/*
 * What waits in a place is not in the table: until it is, memory that is given away has its old name. So a
 * request goes there only if whoever has the turn does not go on, as when it is stopped, or waits for us.
 */
static bool wait_for_turn(void)
{
	const struct timespec sleep = { .tv_nsec = SLEEP_NS };
	uint32_t now = __atomic_load_n(&turn.over, __ATOMIC_RELAXED);
	int saved = errno;
	bool mine = false;

	if (__atomic_load_n(&given_up, __ATOMIC_RELAXED) == now)
		return false;
	for (int i = 0; i < YIELDS + SLEEPS && !mine; i++) {
		if (i < YIELDS)
			sched_yield();
		else
			nanosleep(&sleep, NULL);
		mine = begin(1);
	}
	errno = saved;
	if (!mine && __atomic_load_n(&turn.over, __ATOMIC_RELAXED) == now)
		__atomic_store_n(&given_up, now, __ATOMIC_RELAXED);
	return mine;
}

bool turn_take_slowly(void)
{
	return begin(SPINS) || wait_for_turn();
}

/* Who left it there went on. */
void turn_carry_out_behind(void)
{
	while (turn_are_waiting() && any_ready() && begin(1)) {
		turn_carry_out_waiting();
		turn_end();
	}
}

int turn_carry_out(const struct request *request)
{
	int err;

	if (!turn_take())
		return turn_defer(request);
	err = turn_work.carry_out(request);
	turn_leave();
	return err;
}

uint32_t *turn_fork_word(void)
{
	if (!turn.fork_mark && make_mark() < 0)
		return NULL;
	return turn.fork_mark + 1;
}

static bool put_in_place(const struct request *request)
{
	for (int i = 0; i < PLACES; i++) {
		uint32_t expected = PLACE_FREE;

		if (!__atomic_compare_exchange_n(&places[i].state, &expected, PLACE_TAKEN, false,
						 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			continue;
		__atomic_fetch_add(&turn.waiting, 1, __ATOMIC_SEQ_CST);
		places[i].order = __atomic_fetch_add(&places_order, 1, __ATOMIC_SEQ_CST);
		places[i].request = *request;
		__atomic_store_n(&places[i].state, PLACE_READY, __ATOMIC_SEQ_CST);
		return true;
	}
	return false;
}

int turn_defer(const struct request *request)
{
	if (turn_within)
		return put_in_place(request) ? 0 : -EAGAIN;
	for (int round = 0; round < ROUNDS; round++) {
		if (put_in_place(request)) {
			/* Who had the turn may have looked just before. */
			if (begin(1))
				turn_leave();
			return 0;
		}
		sched_yield();
		if (begin(SPINS))
			turn_leave();
	}
	return -EAGAIN;
}
