/* SPDX-License-Identifier: MIT */
/*
 * One piece of work on several threads at once.
 */
#ifndef MEMOIR_BASE_CREW_H
#define MEMOIR_BASE_CREW_H

/* How many CPUs there are to work on, at least 1. */
unsigned int crew_cpus(void);

/*
 * Call work(arg) on this thread and, at the same time, on up to `threads` - 1 others; back when all have
 * returned. Where threads can't be had there are fewer, so work() takes what it does from what is left.
 */
void crew_run(unsigned int threads, void (*work)(void *arg), void *arg);

#endif
