/* SPDX-License-Identifier: MIT */
/*
 * A process by a file descriptor: it means that process even when its number is used again, and also
 * after it has called exec. Linux 5.3.
 */
#ifndef MEMOIR_KERNEL_PIDFD_H
#define MEMOIR_KERNEL_PIDFD_H

#include <stdbool.h>
#include <sys/types.h>

/* fd or negative errno: -ESRCH gone, -EINVAL a thread's number. */
int pidfd_of(pid_t pid);

/* Whether the process has not ended. As long as it has not, its number is its own. */
bool pidfd_lives(int pidfd);

/* 0 or negative errno. */
int pidfd_signal(int pidfd, int number);

/* A copy, close-on-exec, of an fd of the process: PTRACE_MODE_ATTACH. fd or negative errno; Linux 5.6. */
int pidfd_fd_of(int pidfd, int fd);

#endif
