// SPDX-License-Identifier: MIT
/*
 * pidfds by the system calls themselves, as older C libraries lack them; judges no process.
 */
#include "kernel/pidfd.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture. */
enum { NR_PIDFD_SEND_SIGNAL = 424, NR_PIDFD_OPEN = 434, NR_PIDFD_GETFD = 438 };

int pidfd_of(pid_t pid)
{
	long fd = syscall(NR_PIDFD_OPEN, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

bool pidfd_lives(int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	return poll(&end, 1, 0) == 0;
}

int pidfd_signal(int pidfd, int number)
{
	return syscall(NR_PIDFD_SEND_SIGNAL, pidfd, number, NULL, 0) < 0 ? -errno : 0;
}

int pidfd_fd_of(int pidfd, int fd)
{
	long copy = syscall(NR_PIDFD_GETFD, pidfd, fd, 0);

	return copy < 0 ? -errno : (int)copy;
}
