/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is to change the table. Nobody waits for it who could be what it waits for: a signal
 * handler within a call leaves its request to that call, and so does a thread that has waited for 100 ms.
 */
#ifndef MEMOIR_NAMES_TURN_H
#define MEMOIR_NAMES_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names/format.h"

enum request_what {
	REQUEST_NAME, /* [start, end) has the name, or with no_name none */
	REQUEST_MOVE, /* what was [start, end) is now at to, of to_bytes */
	REQUEST_COPY, /* the same, and the old names stay */
	/* Announcements (names/announce.c): start is the buffer's number. */
	REQUEST_BUFFER,    /* it has to_bytes, and the name */
	REQUEST_REMOVE,    /* it is no more */
	REQUEST_INSTALL,   /* the process `to` holds it once more */
	REQUEST_UNINSTALL, /* … once less */
};

struct request {
	uint64_t start, end, to, to_bytes, hash;
	uint8_t what;
	bool no_name;
	uint8_t length;
	char name[NAME_TEXT_MAX + 1];
};

/* Within a call of this thread already: a signal handler. */
bool turn_is_within(void);

/*
 * Leave a request to who has the turn, or carry it out where nobody has it. 0; -EAGAIN: there is no room.
 */
int turn_defer(const struct request *request);

/* Take the turn and carry out, or defer. What carrying out says, or turn_defer(). */
int turn_carry_out(const struct request *request);

/* A word for the holder of the turn that is 0 at first, and again in a child of fork. NULL: out of memory. */
uint32_t *turn_fork_word(void);

/* Who has the turn carries requests out by this, and is told to look after the table after a fork. */
struct turn_work {
	int (*carry_out)(const struct request *request);
	void (*recover)(void);
};
extern const struct turn_work turn_work;

/* ---- for turn.c, and for what is inline below ----------------------------------------------- */

struct turn {
	uint32_t taken;      /* 1: it is somebody's */
	uint32_t over;       /* how many were, so that it shows who does not go on */
	uint32_t waiting;    /* requests in places */
	uint32_t *fork_mark; /* on a page that a child of fork finds wiped; NULL: not needed yet */
	bool must_recover;   /* it was somebody's who is not in this process */
};
extern struct turn turn;

/* What the page says. */
enum { FORK_CHILD, FORK_SETTLED, FORK_SETTLING };

/* Static TLS: any other may be allocated at first use, which a signal handler must not do. */
extern __thread volatile bool turn_within __attribute__((tls_model("initial-exec")));

/* Where there is something to wait for or to look after, or has been. */
bool turn_take_slowly(void);
void turn_carry_out_waiting(void);
void turn_carry_out_behind(void);

static inline void turn_compiler_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* glibc 2.32; elsewhere there may always be others. */
extern char __libc_single_threaded __attribute__((weak));

/*
 * Whether nobody else could have the turn when this thread forks: then no child finds it taken by who is not there, and
 * no mark is needed, which is a mapping that whoever looks at the process has to look at.
 */
static inline bool turn_is_alone(void)
{
	return &__libc_single_threaded && __libc_single_threaded;
}

static inline bool turn_try(void)
{
	uint32_t expected = 0;

	return __atomic_compare_exchange_n(&turn.taken, &expected, 1, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static inline bool turn_are_waiting(void)
{
	return __builtin_expect(__atomic_load_n(&turn.waiting, __ATOMIC_SEQ_CST) != 0, 0);
}

static inline bool turn_take_at_once(void)
{
	const uint32_t *mark = __atomic_load_n(&turn.fork_mark, __ATOMIC_ACQUIRE);

	turn_within = true;
	turn_compiler_barrier();
	if ((mark ? __atomic_load_n(mark, __ATOMIC_ACQUIRE) == FORK_SETTLED : turn_is_alone()) &&
	    turn_try()) {
		if (!turn.must_recover)
			return true;
		__atomic_store_n(&turn.taken, 0, __ATOMIC_SEQ_CST);
	}
	turn_compiler_barrier();
	turn_within = false;
	return false;
}

static inline void turn_end(void)
{
	__atomic_store_n(&turn.over, turn.over + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&turn.taken, 0, __ATOMIC_SEQ_CST);
	turn_compiler_barrier();
	turn_within = false;
	turn_compiler_barrier();
}

/* ---- the turn ------------------------------------------------------------------------------- */

/* true: it is the caller's turn until turn_leave(); false: it is to call turn_defer(), if it may. */
static inline bool turn_take(void)
{
	if (turn_within || (!turn_take_at_once() && !turn_take_slowly()))
		return false;
	if (turn_are_waiting())
		turn_carry_out_waiting();
	return true;
}

/* What came while the turn was ours is ours: whoever left it there went on. */
static inline void turn_leave(void)
{
	if (turn_are_waiting())
		turn_carry_out_waiting();
	turn_end();
	if (turn_are_waiting())
		turn_carry_out_behind();
}

#endif
