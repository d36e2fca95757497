// SPDX-License-Identifier: MIT
/*
 * The order of things in a supervisor: calls, ends of programs, and a look at all of them now and then.
 */
#include "names/supervise.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "kernel/seccomp.h"
#include "names/subjects.h"

#define NS_PER_MS UINT64_C(1000000)
#define LOOK_EVERY_NS (1000 * NS_PER_MS)
#define LOOK_SHARE 200 /* of the time at most one in so much */
#define EVENTS 64

struct supervisor {
	int listener, epoll;
	struct subjects subjects;
	uint64_t look_at_ns; /* 0: nobody has names */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

/* ---- a call --------------------------------------------------------------------------------- */

/* What it called exec since, was about is gone; then it is asked once more. */
static int name_anew(struct supervisor *s, struct subject *subject, const struct naming_call *call,
		     uint64_t id)
{
	int err = subject_renew(s->subjects.root, call->tid, subject);

	if (err || !seccomp_waits(s->listener, id))
		return err ? err : -ESRCH;
	return subject_name(s->subjects.root, subject, call, &s->subjects.text);
}

static int carry_out(struct supervisor *s, const struct seccomp_call *call)
{
	struct naming_call naming = { call->tid, call->start, call->bytes, call->name };
	struct subject *subject;
	int err = call->tid > 0 ? subjects_of_thread(&s->subjects, call->tid, &subject) : -ESRCH;

	if (err)
		return err;
	/* Only as long as it waits is it certain that the number is of who called. */
	if (!seccomp_waits(s->listener, call->id))
		return -ESRCH;
	if (call->name && subjects_are_full(&s->subjects))
		return -ENOMEM;
	subjects_before_change(&s->subjects, subject, call->tid);
	s->subjects.bytes -= several_bytes(&subject->table);
	err = subject_name(s->subjects.root, subject, &naming, &s->subjects.text);
	if (err == -ESRCH)
		err = name_anew(s, subject, &naming, call->id);
	s->subjects.bytes += several_bytes(&subject->table);
	return err;
}

/* What the kernel would not say of its own names is our trouble: then it is to answer as without us. */
static bool is_answer(int result)
{
	return result == 0 || result == -EINVAL || result == -ENOMEM || result == -EBADF ||
	       result == -EFAULT;
}

static void take_call(struct supervisor *s)
{
	struct seccomp_call call;
	int result;

	if (seccomp_next(s->listener, &call) < 0)
		return;
	result = carry_out(s, &call);
	if (is_answer(result))
		seccomp_answer(s->listener, call.id, result);
	else
		seccomp_go_on(s->listener, call.id);
	if (!s->look_at_ns)
		s->look_at_ns = now_ns() + LOOK_EVERY_NS;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int watch(const struct subject *subject, void *arg)
{
	const struct supervisor *s = arg;
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)subject->pid };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, subject->pidfd, &event) < 0 ? -errno : 0;
}

int supervisor_open(int listener, struct supervisor **ret_supervisor)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct supervisor *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		return err;
	s->listener = listener;
	s->subjects.watch = watch;
	s->subjects.watch_arg = s;
	err = subjects_open(&s->subjects);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!err && (s->epoll < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, listener, &event) < 0))
		err = -errno;
	if (err) {
		supervisor_close(s);
		return err;
	}
	seccomp_wake_in_turn(listener);
	*ret_supervisor = s;
	return 0;
}

void supervisor_close(struct supervisor *s)
{
	if (!s)
		return;
	subjects_close(&s->subjects);
	if (s->epoll >= 0)
		close(s->epoll);
	close(s->listener);
	free(s);
}

int supervisor_fd(const struct supervisor *s)
{
	return s->epoll;
}

int supervisor_timeout_ms(const struct supervisor *s)
{
	uint64_t now = now_ns();

	if (!s->look_at_ns)
		return -1;
	return s->look_at_ns <= now ? 0 : (int)((s->look_at_ns - now) / NS_PER_MS + 1);
}

static void look_if_due(struct supervisor *s)
{
	uint64_t before = now_ns(), took;

	if (!s->look_at_ns || before < s->look_at_ns)
		return;
	subjects_look_after(&s->subjects);
	took = now_ns() - before;
	s->look_at_ns = 0;
	if (subjects_any_names(&s->subjects))
		s->look_at_ns =
			before + took +
			(took * LOOK_SHARE > LOOK_EVERY_NS ? took * LOOK_SHARE : LOOK_EVERY_NS);
}

int supervisor_work(struct supervisor *s)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(s->epoll, events, EVENTS, 0);

	for (int i = 0; i < count; i++) {
		if (events[i].data.u64)
			subjects_check_ended(&s->subjects, (pid_t)events[i].data.u64);
		else if (events[i].events & EPOLLIN)
			take_call(s);
		else if (events[i].events & EPOLLHUP)
			return -ENODATA;
	}
	look_if_due(s);
	return 0;
}

int supervisor_has_programs(const struct supervisor *s)
{
	struct pollfd end = { .fd = s->listener, .events = POLLIN };

	return poll(&end, 1, 0) <= 0 || !(end.revents & POLLHUP);
}
