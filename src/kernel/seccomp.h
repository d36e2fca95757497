/* SPDX-License-Identifier: MIT */
/*
 * seccomp user notification of one call only: prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME). The calls wait for
 * an answer; every other call goes on as if nothing were there. Linux 5.9, for the end of the listener.
 */
#ifndef MEMOIR_KERNEL_SECCOMP_H
#define MEMOIR_KERNEL_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * From now on the calling thread, what it executes and all their children ask before they name memory.
 * Without CAP_SYS_ADMIN it also gives up gaining privileges by exec (no_new_privs). It can't be undone.
 * The listener (close on exec) or -EBUSY: there is one already; -EINVAL, -ENOSYS: the kernel has none.
 */
int seccomp_listen(void);

/* Be woken where the caller ran, and the caller where one runs: Linux 6.6, and no matter before. */
void seccomp_wake_in_turn(int listener);

/* A call that waits. */
struct seccomp_call {
	uint64_t id;
	pid_t tid; /* 0: not to be seen from here */
	uint64_t start, bytes;
	uint64_t name; /* an address there, 0: the name is taken away */
};

/* The next call, when the listener is readable. 0; -ENOENT, -EINTR: it is no longer waiting. */
int seccomp_next(int listener, struct seccomp_call *ret_call);

/* Whether it still waits, so that `tid` is still the thread that made it. */
bool seccomp_waits(int listener, uint64_t id);

/* Let it return 0 or a negative errno. */
void seccomp_answer(int listener, uint64_t id, int result);

/* Let the kernel answer it. */
void seccomp_go_on(int listener, uint64_t id);

#endif
