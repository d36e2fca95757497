/* SPDX-License-Identifier: MIT */
/*
 * The three processes of memoir run: the front, which the caller waits for; the supervisor, which the front
 * forks and which stays until nobody is left to ask it; and the program, which the supervisor forks, as the
 * kernel may let only those look into it that it descends from.
 */
#ifndef MEMOIR_CLI_RUN_H
#define MEMOIR_CLI_RUN_H

#include <signal.h>
#include <sys/types.h>

/* What ps calls the supervisor. */
#define RUN_SUPERVISOR_COMM "memoir-run"

/* As env(1) has it. */
enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/* What the supervisor tells the front, and the program the supervisor. */
enum run_word {
	RUN_LISTENS,   /* value: 0, and the listener with it; or an errno: it has none */
	RUN_FAILED,    /* value: the errno of exec */
	RUN_STARTED,   /* value: its pid, and its pidfd with it */
	RUN_STOPPED,   /* value: the signal */
	RUN_CONTINUED, /* from the front, which had stopped. value: how many RUN_STOPPED it has had */
	RUN_ENDED,     /* value: as waitpid(2) has it; the supervisor stays for others */
	RUN_OVER,      /* the same, and so has the supervisor */
};

struct run_message {
	enum run_word word;
	int value;
};

/* A message, with an fd unless that is -1. 0 or negative errno. */
int run_send(int channel, enum run_word word, int value, int fd);
/* 1: a message (ret_fd: -1 where there is no fd with it); 0: there is nobody any longer; negative errno. */
int run_receive(int channel, struct run_message *ret_message, int *ret_fd);

/* How signals were before memoir changed anything: the program gets them so. */
struct run_signals {
	sigset_t blocked;
	struct sigaction child;
};

/* Start the program and serve until it is no longer needed; the exit code of the supervisor's process. */
int run_supervise(int front, char **argv, const struct run_signals *before);

/*
 * Wait for the program as if it were this process's child, stopping when it stops. The signals that the
 * front passes on have to be blocked. Its exit code; or this process dies by the same signal.
 */
int run_wait(int supervisor, pid_t supervisor_pid, const char *program);

/* The signals that whoever has memoir's pid may mean for the program. */
void run_passed_on(sigset_t *ret_set);

/* Say why it was not started; EXIT_CANNOT_RUN or EXIT_NOT_FOUND. */
int run_not_started(const char *program, int err);

#endif
