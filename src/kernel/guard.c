// SPDX-License-Identifier: MIT
/*
 * The guard process: it waits for the end of its socket, which is that of the process that started it.
 */
#include "kernel/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/cgroup.h"
#include "kernel/pidfd.h"

struct guard {
	pid_t pid;
	int socket;
};

#define HOLDING 'h'
#define NOTHING 'n'

/* In the guard: only calls that are safe after a fork of one thread among several. */
static void let_go(const struct guard_duty *duty)
{
	if (duty->freezer >= 0)
		(void)cgroup2_freeze(duty->freezer, false);
	for (size_t i = 0; i < duty->pidfd_count; i++)
		(void)pidfd_signal(duty->pidfds[i], SIGCONT);
}

static bool is_needed(const struct guard_duty *duty, int socket, int fd)
{
	if (fd == socket || fd == duty->freezer)
		return true;
	for (size_t i = 0; i < duty->pidfd_count; i++)
		if (duty->pidfds[i] == fd)
			return true;
	return false;
}

/* So that nobody who waits for the end of a pipe of ours waits for the guard. */
static void close_others(const struct guard_duty *duty, int socket)
{
	long most = sysconf(_SC_OPEN_MAX);
	int highest = socket > duty->freezer ? socket : duty->freezer;

	for (size_t i = 0; i < duty->pidfd_count; i++)
		highest = duty->pidfds[i] > highest ? duty->pidfds[i] : highest;
	for (int fd = 0; fd <= highest; fd++)
		if (!is_needed(duty, socket, fd))
			close(fd);
	if (syscall(SYS_close_range, (unsigned int)highest + 1, ~0u, 0) == 0)
		return;
	/* Before Linux 5.9. */
	for (int fd = highest + 1; fd < most && fd < 65536; fd++)
		close(fd);
}

static _Noreturn void be_guard(const struct guard_duty *duty, int socket)
{
	char state = NOTHING, next;
	ssize_t got;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	close_others(duty, socket);
	while ((got = read(socket, &next, 1)) > 0 || (got < 0 && errno == EINTR))
		if (got > 0)
			state = next;
	if (state == HOLDING)
		let_go(duty);
	_exit(0);
}

int guard_start(const struct guard_duty *duty, struct guard **ret_guard)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	int ends[2];

	if (!guard)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		int err = -errno;

		free(guard);
		return err;
	}
	/* No signal at its end: a program that uses the library may wait for children of its own. */
	long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);

	if (pid == 0) {
		close(ends[0]);
		be_guard(duty, ends[1]);
	}
	int err = pid < 0 ? -errno : 0;

	close(ends[1]);
	if (err) {
		close(ends[0]);
		free(guard);
		return err;
	}
	guard->pid = (pid_t)pid;
	guard->socket = ends[0];
	*ret_guard = guard;
	return 0;
}

int guard_set(struct guard *guard, bool holding)
{
	const char state = holding ? HOLDING : NOTHING;

	return send(guard->socket, &state, 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

void guard_end(struct guard *guard)
{
	if (!guard)
		return;
	(void)guard_set(guard, false);
	close(guard->socket);
	while (waitpid(guard->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	free(guard);
}
