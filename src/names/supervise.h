/* SPDX-License-Identifier: MIT */
/*
 * Answers programs that name their memory by prctl on a kernel that keeps no names, and keeps these in name
 * tables about the programs. The caller waits and says when; one thread.
 */
#ifndef MEMOIR_NAMES_SUPERVISE_H
#define MEMOIR_NAMES_SUPERVISE_H

struct supervisor;

/* Takes the listener over (see kernel/seccomp.h). 0, -ENOMEM or another negative errno. */
int supervisor_open(int listener, struct supervisor **ret_supervisor);
void supervisor_close(struct supervisor *supervisor);

/* Readable when supervisor_work() has work. */
int supervisor_fd(const struct supervisor *supervisor);
/* In how many milliseconds it has some all the same; -1: never. */
int supervisor_timeout_ms(const struct supervisor *supervisor);

/* Do what there is. 0; -ENODATA: no program is left that could ask. */
int supervisor_work(struct supervisor *supervisor);

/* Whether any program is left. */
int supervisor_has_programs(const struct supervisor *supervisor);

#endif
