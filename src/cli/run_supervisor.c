// SPDX-License-Identifier: MIT
/*
 * The supervisor's process: starts the program, tells the front what becomes of it, and answers those that
 * name memory until the last of them has ended. It prints nothing and holds nothing of its caller's open.
 */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/own_process.h"
#include "kernel/pidfd.h"
#include "kernel/seccomp.h"
#include "names/supervise.h"

struct back {
	int front; /* -1: it is gone */
	int front_pidfd;
	pid_t program; /* 0: it has ended */
	int stops;     /* of the program; the front has been told of each */
	bool stopped;
	int signals; /* SIGCHLD */
	struct supervisor *supervisor;
};

/* ---- the program ---------------------------------------------------------------------------- */

static _Noreturn void become_program(int channel, char **argv, const struct run_signals *before)
{
	int listener = seccomp_listen();

	run_send(channel, RUN_LISTENS, listener < 0 ? -listener : 0, listener);
	if (listener >= 0)
		close(listener);
	sigaction(SIGCHLD, &before->child, NULL);
	sigprocmask(SIG_SETMASK, &before->blocked, NULL);
	execvp(argv[0], argv);
	run_send(channel, RUN_FAILED, errno, -1);
	_exit(EXIT_NOT_FOUND);
}

static int start(struct back *back, char **argv, const struct run_signals *before, int *ret_channel)
{
	int channel[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		return -errno;
	back->program = fork();
	if (back->program == 0)
		become_program(channel[1], argv, before);
	if (back->program < 0)
		err = -errno;
	close(channel[1]);
	if (err)
		close(channel[0]);
	else
		*ret_channel = channel[0];
	return err;
}

/* Until it has called exec. 0; or the errno of exec; the listener -1 where there is none. */
static int hear_of_start(int channel, int *ret_listener, int *ret_why_none)
{
	struct run_message message;
	int fd, err = 0;

	*ret_listener = -1;
	*ret_why_none = 0;
	while (run_receive(channel, &message, &fd) > 0) {
		if (message.word == RUN_FAILED) {
			err = message.value;
		} else {
			*ret_listener = fd;
			*ret_why_none = message.value;
		}
	}
	close(channel);
	return err;
}

/* ---- serving -------------------------------------------------------------------------------- */

/*
 * The program's fds are its own now: what they lead to must not stay open here. The terminal's signals are
 * not for the supervisor either; those that came so far stay blocked.
 */
static void let_go(const struct back *back, int listener)
{
	const int kept[] = { back->front, back->front_pidfd, back->signals, listener };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t end;

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	own_process_close_others(3, kept, sizeof(kept) / sizeof(kept[0]));
	setsid();
	if (chdir("/") < 0)
		errno = 0;
	own_process_name(RUN_SUPERVISOR_COMM);
	own_process_open_to_all();
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &end, NULL);
}

static void tell(struct back *back, enum run_word word, int value)
{
	if (back->front >= 0)
		run_send(back->front, word, value, -1);
}

static void tell_end(struct back *back, int status)
{
	bool over = !back->supervisor || !supervisor_has_programs(back->supervisor);

	back->program = 0;
	tell(back, over ? RUN_OVER : RUN_ENDED, status);
	close(back->front);
	back->front = -1;
}

/* Not what the signal says, as of several only one may come. */
static void see_program(struct back *back)
{
	int status;

	while (back->program &&
	       waitpid(back->program, &status, WNOHANG | WUNTRACED | WCONTINUED) > 0) {
		if (WIFSTOPPED(status)) {
			back->stopped = true;
			back->stops++;
			tell(back, RUN_STOPPED, WSTOPSIG(status));
		} else if (WIFCONTINUED(status)) {
			back->stopped = false;
			pidfd_signal(back->front_pidfd, SIGCONT);
		} else {
			tell_end(back, status);
		}
	}
}

/* If both were made to go on, this program's has been seen by now, or it has stopped once more. */
static void hear_front(struct back *back)
{
	struct run_message message;
	int fd;

	if (run_receive(back->front, &message, &fd) <= 0) {
		close(back->front);
		back->front = -1;
		return;
	}
	see_program(back);
	if (back->program && message.word == RUN_CONTINUED && back->stopped &&
	    message.value == back->stops)
		kill(back->program, SIGCONT);
}

static void serve(struct back *back)
{
	bool over = !back->supervisor;

	while (!over || back->program) {
		struct pollfd fds[3] = {
			{ .fd = over ? -1 : supervisor_fd(back->supervisor), .events = POLLIN },
			{ .fd = back->signals, .events = POLLIN },
			{ .fd = back->front, .events = POLLIN },
		};
		int timeout = over ? -1 : supervisor_timeout_ms(back->supervisor);
		struct signalfd_siginfo info;

		if (poll(fds, 3, timeout) < 0 && errno != EINTR)
			return;
		if (fds[1].revents && read(back->signals, &info, sizeof(info)) > 0)
			see_program(back);
		if (fds[2].revents && back->front >= 0)
			hear_front(back);
		if (!over)
			over = supervisor_work(back->supervisor) < 0;
	}
}

int run_supervise(int front, char **argv, const struct run_signals *before)
{
	struct back back = { .front = front, .front_pidfd = pidfd_of(getppid()) };
	int channel = -1, listener, why_none, pidfd, err;
	sigset_t child;

	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	err = start(&back, argv, before, &channel);
	if (err) {
		run_send(front, RUN_FAILED, -err, -1);
		return EXIT_FAILURE;
	}
	pidfd = pidfd_of(back.program);
	err = hear_of_start(channel, &listener, &why_none);
	if (err) {
		waitpid(back.program, NULL, 0);
		run_send(front, RUN_FAILED, err, -1);
		return EXIT_FAILURE;
	}
	run_send(front, RUN_LISTENS, why_none, -1);
	run_send(front, RUN_STARTED, (int)back.program, pidfd);
	if (pidfd >= 0)
		close(pidfd);
	back.signals = signalfd(-1, &child, SFD_CLOEXEC);
	let_go(&back, listener);
	if (listener >= 0)
		supervisor_open(listener, &back.supervisor);
	serve(&back);
	supervisor_close(back.supervisor);
	return EXIT_SUCCESS;
}
