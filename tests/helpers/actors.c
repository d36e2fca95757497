// SPDX-License-Identifier: MIT
/*
 * Starts actors, carries orders to them by pipes and replies back, and sees them end. Nothing here
 * may touch an actor's memory beyond its stack.
 */
#include "actors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFETIME_S 600
#define PEER_STACK_BYTES 16384

static int orders[ACTORS_MAX][2];
static int replies[2];
static pid_t pids[ACTORS_MAX];
static int pidfds[ACTORS_MAX];
static uint32_t own_slot;
static void (*own_obey)(const struct actor_order *order, struct actor_reply *reply);
static char peer_stack[PEER_STACK_BYTES] __attribute__((aligned(16)));

void actors_broken(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- in actors ------------------------------------------------------------------------------ */

static void answer(const struct actor_reply *reply)
{
	if (write(replies[1], reply, sizeof(*reply)) != sizeof(*reply))
		_exit(1);
}

/* Only system calls: it runs beside another on the same memory. */
static int be_peer(void *arg)
{
	char byte;

	(void)read(*(int *)arg, &byte, 1);
	_exit(0);
}

static void fork_into(uint32_t slot, struct actor_reply *reply)
{
	pid_t pid = fork();

	if (pid == 0) {
		own_slot = slot;
		alarm(LIFETIME_S);
	}
	reply->error = pid < 0 ? errno : 0;
	reply->pid = pid ? pid : getpid();
}

static void make_peer(uint32_t slot, struct actor_reply *reply)
{
	reply->pid = clone(be_peer, peer_stack + sizeof(peer_stack), CLONE_VM | SIGCHLD,
			   &orders[slot][0]);
	reply->error = reply->pid < 0 ? errno : 0;
}

/* The child tells, as its parent sleeps until it ends. */
static int be_vforked(void *arg)
{
	struct actor_reply reply = { .pid = (int32_t)syscall(SYS_getpid) };

	answer(&reply);
	return be_peer(arg);
}

static void vfork_into(uint32_t slot, struct actor_reply *reply)
{
	if (clone(be_vforked, peer_stack + sizeof(peer_stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
		  &orders[slot][0]) > 0)
		_exit(0);
	reply->error = errno;
}

static void obey(const struct actor_order *order)
{
	struct actor_reply reply = { .pid = getpid() };

	switch (order->verb) {
	case ACTOR_FORK:
		fork_into(order->slot, &reply);
		break;
	case ACTOR_PEER:
		make_peer(order->slot, &reply);
		break;
	case ACTOR_VFORK:
		vfork_into(order->slot, &reply);
		break;
	case ACTOR_EXIT:
		_exit(0);
	default:
		own_obey(order, &reply);
	}
	answer(&reply);
}

__attribute__((noreturn)) static void serve(void)
{
	struct actor_order order;

	/* Orders have to end when the first process ends: only that one may hold these. */
	for (uint32_t i = 0; i < ACTORS_MAX; i++)
		close(orders[i][1]);
	close(replies[0]);
	alarm(LIFETIME_S);
	while (read(orders[own_slot][0], &order, sizeof(order)) == sizeof(order))
		obey(&order);
	_exit(0);
}

/* ---- in the one who orders ------------------------------------------------------------------ */

static void remember(uint32_t slot, pid_t pid)
{
	pids[slot] = pid;
	pidfds[slot] = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfds[slot] < 0)
		actors_broken("pidfd_open");
}

static void await_end(uint32_t slot)
{
	struct pollfd end = { .fd = pidfds[slot], .events = POLLIN };

	poll(&end, 1, -1);
	close(pidfds[slot]);
	pids[slot] = 0;
}

pid_t actors_start(void (*obey_own)(const struct actor_order *order, struct actor_reply *reply))
{
	pid_t pid;

	own_obey = obey_own;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Inherited by all: nobody has to wait for his children. */
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	alarm(LIFETIME_S);
	for (uint32_t i = 0; i < ACTORS_MAX; i++)
		if (pipe2(orders[i], O_CLOEXEC))
			actors_broken("pipe");
	if (pipe2(replies, O_CLOEXEC))
		actors_broken("pipe");
	pid = fork();
	if (pid < 0)
		actors_broken("fork");
	if (pid == 0)
		serve();
	close(replies[1]);
	remember(0, pid);
	return pid;
}

static struct actor_reply read_reply(void)
{
	struct actor_reply reply;

	if (read(replies[0], &reply, sizeof(reply)) != sizeof(reply))
		actors_broken("an actor has died");
	return reply;
}

struct actor_reply actors_order(uint32_t slot, const struct actor_order *order)
{
	struct actor_reply reply, other;

	if (write(orders[slot][1], order, sizeof(*order)) != sizeof(*order))
		actors_broken("an order");
	reply = read_reply();
	if (reply.error)
		return reply;
	/* Parent and child both tell, in any order. */
	if (order->verb == ACTOR_FORK) {
		other = read_reply();
		if (other.error)
			actors_broken("a reply");
	}
	if (order->verb < ACTOR_EXIT)
		remember(order->slot, reply.pid);
	return reply;
}

pid_t actors_pid(uint32_t slot)
{
	return pids[slot];
}

void actors_exit(uint32_t slot)
{
	const struct actor_order order = { .verb = ACTOR_EXIT };

	if (write(orders[slot][1], &order, sizeof(order)) != sizeof(order))
		actors_broken("an order");
	await_end(slot);
}

void actors_end(void)
{
	for (uint32_t i = 0; i < ACTORS_MAX; i++)
		if (pids[i])
			syscall(SYS_pidfd_send_signal, pidfds[i], SIGKILL, NULL, 0);
	for (uint32_t i = 0; i < ACTORS_MAX; i++)
		if (pids[i])
			await_end(i);
}
