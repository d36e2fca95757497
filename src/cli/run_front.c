// SPDX-License-Identifier: MIT
/*
 * The process that the caller of memoir run waits for: passes signals on, stops when the program stops and
 * ends as it ends. It knows nothing of names.
 */
#include "cli/run.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "kernel/exit_status.h"
#include "kernel/own_process.h"
#include "kernel/pidfd.h"
#include "kernel/process.h"

struct front {
	const char *name; /* of the program */
	int supervisor;
	pid_t supervisor_pid;
	int signals;
	pid_t program; /* 0: not started yet */
	int pidfd;
	int stops; /* of the program that the supervisor told of */
	struct kroot *root;
};

int run_not_started(const char *program, int err)
{
	if (err == ENOENT)
		complain("%s: there is no such program", program);
	else
		complain("%s cannot be run: %s", program, strerror(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/* ---- signals -------------------------------------------------------------------------------- */

void run_passed_on(sigset_t *ret_set)
{
	static const int own[] = { SIGCHLD, SIGSEGV, SIGBUS, SIGFPE,
				   SIGILL,  SIGTRAP, SIGSYS, SIGABRT };

	sigfillset(ret_set);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(ret_set, own[i]);
}

static bool is_stopped(const struct front *front)
{
	struct process_stat stat;

	return process_stat(front->root, front->program, &stat) == 0 && stat.state == 'T';
}

/* What the terminal sends it sends to the program too, which is in the same process group. */
static void pass_on(const struct front *front)
{
	struct signalfd_siginfo info;

	if (read(front->signals, &info, sizeof(info)) != sizeof(info) || info.ssi_code > 0)
		return;
	/* The supervisor sees to that: only it knows what the program was told already. */
	if (info.ssi_signo != SIGCONT)
		pidfd_signal(front->pidfd, (int)info.ssi_signo);
}

/* By the signal itself, so that a shell sees the same; nothing happens where it is ignored. */
static void raise_unblocked(int number)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
}

/*
 * It may go on again already; if it goes on after this, the supervisor's SIGCONT comes. And if this process
 * alone was made to go on, the supervisor makes the program.
 */
static void stop_too(struct front *front, int number)
{
	struct sigaction action;

	front->stops++;
	if (!is_stopped(front))
		return;
	if (sigaction(number, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
		number = SIGSTOP;
	raise_unblocked(number);
	run_send(front->supervisor, RUN_CONTINUED, front->stops, -1);
}

/* ---- the end -------------------------------------------------------------------------------- */

static int end_as(int status)
{
	int number;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	number = WTERMSIG(status);
	own_process_no_core();
	signal(number, SIG_DFL);
	raise_unblocked(number);
	return 128 + number;
}

/* Somebody killed the supervisor: the program goes on, and its calls fail as on a kernel without names. */
static int go_on_alone(const struct front *front)
{
	struct pollfd fds[2] = {
		{ .fd = front->pidfd, .events = POLLIN },
		{ .fd = front->signals, .events = POLLIN },
	};
	int status;

	complain("the supervisor of %s was killed: names are no longer kept", front->name);
	while (!fds[0].revents) {
		if (poll(fds, 2, -1) > 0 && fds[1].revents)
			pass_on(front);
	}
	if (exit_status_of(front->pidfd, &status) == 0)
		return end_as(status);
	complain("%s has ended, and only its supervisor knew how", front->name);
	return EXIT_FAILED;
}

/* ---- what the supervisor says --------------------------------------------------------------- */

static void say_why_not(const struct front *front, int err)
{
	if (err == EBUSY)
		complain("%s runs, but its names are not kept: its calls have a listener already "
			 "(seccomp user notification allows one), such as that of a container",
			 front->name);
	else if (err)
		complain("%s runs, but its names are not kept: seccomp user notification: %s",
			 front->name, strerror(err));
}

/* -1: go on; else the exit code. */
static int hear(struct front *front)
{
	struct run_message message;
	int fd, got = run_receive(front->supervisor, &message, &fd);

	if (got <= 0)
		return front->program ? go_on_alone(front) : EXIT_FAILED;
	switch (message.word) {
	case RUN_LISTENS:
		say_why_not(front, message.value);
		return -1;
	case RUN_STARTED:
		front->program = message.value;
		front->pidfd = fd;
		return -1;
	case RUN_STOPPED:
		stop_too(front, message.value);
		return -1;
	case RUN_FAILED:
		waitpid(front->supervisor_pid, NULL, 0);
		return run_not_started(front->name, message.value);
	case RUN_OVER:
		waitpid(front->supervisor_pid, NULL, 0);
		return end_as(message.value);
	case RUN_ENDED:
		return end_as(message.value);
	case RUN_CONTINUED:
		break;
	}
	return EXIT_FAILED;
}

int run_wait(int supervisor, pid_t supervisor_pid, const char *program)
{
	struct front front = {
		.name = program,
		.supervisor = supervisor,
		.supervisor_pid = supervisor_pid,
		.pidfd = -1,
	};
	sigset_t passed_on;
	int code = -1;

	run_passed_on(&passed_on);
	front.signals = signalfd(-1, &passed_on, SFD_CLOEXEC);
	if (front.signals < 0 || kroot_open(NULL, &front.root) < 0)
		return cli_no_memory();
	while (code < 0) {
		/* Signals wait until there is a program to pass them on to. */
		struct pollfd fds[2] = {
			{ .fd = supervisor, .events = POLLIN },
			{ .fd = front.program ? front.signals : -1, .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			pass_on(&front);
		if (fds[0].revents)
			code = hear(&front);
	}
	close(front.signals);
	kroot_close(front.root);
	return code;
}
