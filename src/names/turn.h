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

/* true: it is the caller's turn until turn_leave(); false: it is to call turn_defer(), if it may. */
bool turn_take(void);

/* Within a call of this thread already: a signal handler. */
bool turn_is_within(void);

/*
 * Leave a request to who has the turn, or carry it out where nobody has it. 0; -EAGAIN: there is no room.
 */
int turn_defer(const struct request *request);

void turn_leave(void);

/* Take the turn and carry out, or defer. What carrying out says, or turn_defer(). */
int turn_carry_out(const struct request *request);

/* A word for the holder of the turn that is 0 at first, and again in a child of fork. */
uint32_t *turn_fork_word(void);

/* Who has the turn carries requests out by this, and is told to look after the table after a fork. */
struct turn_work {
	int (*carry_out)(const struct request *request);
	void (*recover)(void);
};
extern const struct turn_work turn_work;

#endif
