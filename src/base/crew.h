/* SPDX-License-Identifier: MIT */
/*
 * One piece of work on several threads at once.
 */
#ifndef MEMOIR_BASE_CREW_H
#define MEMOIR_BASE_CREW_H

#include <pthread.h>

/* How many CPUs this thread may work on, at least 1. */
unsigned int crew_cpus(void);

/*
 * Begin a thread on another CPU than the caller's, where there is one. A scheduler may leave a new thread with the one
 * that made it, to wait there until that has used up its turn: 3 ms, in which most of what memoir does is over.
 * 0 or a negative errno.
 */
int crew_thread(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);

/*
 * Call work(arg) on this thread and, at the same time, on up to `threads` - 1 others; back when all have
 * returned. Where threads can't be had there are fewer, so work() takes what it does from what is left.
 */
void crew_run(unsigned int threads, void (*work)(void *arg), void *arg);

#endif
