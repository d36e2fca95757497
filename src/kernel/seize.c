// SPDX-License-Identifier: MIT
/*
 * Stops and releases threads by ptrace; reads and changes nothing of them.
 */
#include "kernel/seize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/grow.h"
#include "kernel/process.h"

#define STEP_NS 20000
#define STEPS_MAX 50000 /* a second */
#define ROUNDS_MAX 1000

static struct seized_thread *find(struct seized *seized, pid_t tid)
{
	for (size_t i = 0; i < seized->count; i++)
		if (seized->threads[i].tid == tid)
			return &seized->threads[i];
	return NULL;
}

static void forget(struct seized *seized, struct seized_thread *thread)
{
	*thread = seized->threads[--seized->count];
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Look whether a thread has stopped. 1: it stands still; 0: not yet; -ESRCH: it has ended. */
static int look(struct seized_thread *thread)
{
	int status;
	pid_t got = waitpid(thread->tid, &status, __WALL | WNOHANG);

	if (got == 0 || (got < 0 && errno == EINTR))
		return 0;
	if (got < 0 || !WIFSTOPPED(status))
		return -ESRCH;
	thread->still = true;
	/* Above the signal stands the event: without one the signal is about to be delivered. */
	thread->signal = status >> 16 ? 0 : WSTOPSIG(status);
	return 1;
}

static int wait_for_all(struct seized *seized)
{
	const struct timespec step = { .tv_nsec = STEP_NS };

	for (unsigned int i = 0; i < STEPS_MAX; i++) {
		size_t running = 0;

		for (size_t t = seized->count; t-- > 0;) {
			struct seized_thread *thread = &seized->threads[t];

			if (thread->still)
				continue;
			int got = look(thread);

			if (got < 0)
				forget(seized, thread);
			running += got == 0;
		}
		if (!running)
			return 0;
		(void)nanosleep(&step, NULL);
	}
	return -ETIMEDOUT;
}

/* ---- stopping -------------------------------------------------------------------------------- */

/* Whether it waits for the child of its vfork(2), which has its memory: it can't do anything. */
static bool waits_for_child(const struct kroot *root, pid_t pid, pid_t tid)
{
	char text[512];

	if (process_thread_state(root, pid, tid) != 'D' ||
	    kroot_read(root, text, sizeof(text), "proc/%d/task/%d/syscall", pid, tid) <= 0)
		return false;
	long number = strtol(text, NULL, 10);

#ifdef SYS_vfork
	if (number == SYS_vfork)
		return true;
#endif
	return number == SYS_clone || number == SYS_clone3;
}

struct seizing {
	struct seized *seized;
	const struct kroot *root;
	pid_t pid;
	bool found; /* a thread that was not there before */
};

static int seize_thread(pid_t tid, void *arg)
{
	struct seizing *s = arg;

	if (find(s->seized, tid) || waits_for_child(s->root, s->pid, tid))
		return 0;
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0) {
		struct process_status status;

		if (errno == ESRCH)
			return 0; /* it has just ended */
		int err = -errno;

		/* Also of threads that have ended and are still there. */
		if (process_status(s->root, s->pid, tid, &status) == 0 && status.tracer)
			return -EBUSY;
		return process_thread_ended(s->root, s->pid, tid) ? 0 : err;
	}
	struct seized_thread *threads =
		grow(s->seized->threads, &s->seized->room, s->seized->count + 1, sizeof(*threads));

	if (!threads) {
		(void)ptrace(PTRACE_DETACH, tid, NULL, NULL);
		return -ENOMEM;
	}
	s->seized->threads = threads;
	threads[s->seized->count++] = (struct seized_thread){ .tid = tid };
	s->found = true;
	(void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	return 0;
}

int seize_process(struct seized *seized, const struct kroot *root, pid_t pid)
{
	struct seizing s = { .seized = seized, .root = root, .pid = pid, .found = true };
	int err = 0;

	/* A thread that was not stopped yet may have made another. */
	for (unsigned int i = 0; i < ROUNDS_MAX && s.found && !err; i++) {
		s.found = false;
		err = process_each_thread(root, pid, seize_thread, &s);
		if (!err)
			err = wait_for_all(seized);
	}
	return err == -ENOENT ? -ESRCH : err ? err : s.found ? -ETIMEDOUT : 0;
}

/* ---- letting go ------------------------------------------------------------------------------ */

void seize_release(struct seized *seized)
{
	/* Who has not stopped yet can't be let go: once more a moment. */
	(void)wait_for_all(seized);
	for (size_t i = 0; i < seized->count; i++) {
		const struct seized_thread *thread = &seized->threads[i];

		(void)ptrace(PTRACE_DETACH, thread->tid, NULL, (void *)(long)thread->signal);
	}
	seized->count = 0;
}

void seize_free(struct seized *seized)
{
	free(seized->threads);
	*seized = (struct seized){ 0 };
}
