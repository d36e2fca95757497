/* SPDX-License-Identifier: MIT */
/*
 * Letting time pass: as long as was said, with a line about it on a terminal, until somebody interrupts.
 */
#ifndef MEMOIR_CLI_WAIT_H
#define MEMOIR_CLI_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#define WAIT_MAX_NS (UINT64_C(7) * 86400 * 1000000000)

/* "60", "1.5s", "200ms", "10m", "2h": above 0 and up to a week. 0 or -EINVAL. */
int wait_parse(const char *text, uint64_t *ret_ns);

/* For people. */
static inline double wait_seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/*
 * From now on SIGINT and SIGTERM only end the waiting, so that a command ends as it should. A second
 * one ends memoir.
 */
void wait_catch_signals(void);

/* Whether one came. */
bool wait_interrupted(void);

/* From now on SIGUSR1 asks for something: it ends the waiting, too. */
void wait_catch_asking(void);

/* Whether it did since the last call. */
bool wait_asked(void);

/* What then has to be said of the result. */
#define WAIT_INTERRUPTED "interrupted: the time is shorter than was asked for"

/* Monotonic. */
uint64_t wait_now_ns(void);

/*
 * Until a time of wait_now_ns(), or until interrupted. On a terminal says "memoir: WHAT, 12 of 60 s" from the
 * time began_ns on, and takes it away at the end; where WHAT is NULL nothing.
 */
void wait_until(uint64_t began_ns, uint64_t until_ns, uint64_t total_ns, const char *what);

#endif
