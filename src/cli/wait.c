// SPDX-License-Identifier: MIT
/*
 * Letting time pass, and noticing that somebody has had enough of it.
 */
#include "cli/wait.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static volatile sig_atomic_t interrupted, asked;

static const struct unit {
	const char *name;
	double seconds;
} units[] = {
	{ "", 1 }, { "s", 1 }, { "ms", 0.001 }, { "m", 60 }, { "min", 60 }, { "h", 3600 },
};

int wait_parse(const char *text, uint64_t *ret_ns)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	double number = strtod(text, &end);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double ns = number * units[i].seconds * (double)NS_PER_SECOND;

		if (strcmp(end, units[i].name) != 0)
			continue;
		if (!isfinite(ns) || ns < 1 || ns > (double)WAIT_MAX_NS)
			return -EINVAL;
		*ret_ns = (uint64_t)ns;
		return 0;
	}
	return -EINVAL;
}

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

void wait_catch_signals(void)
{
	/* Not restarted: the sleep is to end. */
	struct sigaction action = { .sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool wait_interrupted(void)
{
	return interrupted;
}

static void ask(int number)
{
	(void)number;
	asked = 1;
}

void wait_catch_asking(void)
{
	struct sigaction action = { .sa_handler = ask };

	sigaction(SIGUSR1, &action, NULL);
}

bool wait_asked(void)
{
	bool was = asked;

	asked = 0;
	return was;
}

uint64_t wait_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* A signal that comes after the look at what it leaves behind has to end the sleep, too. */
static void sleep_until(uint64_t ns)
{
	uint64_t now = wait_now_ns(), rest = ns > now ? ns - now : 0;
	struct timespec time = { (time_t)(rest / NS_PER_SECOND), (long)(rest % NS_PER_SECOND) };
	sigset_t caught, before;

	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &caught, &before);
	if (!interrupted && !asked)
		ppoll(NULL, 0, &time, &before);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void wait_until(uint64_t began_ns, uint64_t until_ns, uint64_t total_ns, const char *what)
{
	bool says = what && isatty(STDERR_FILENO), said = false;
	uint64_t now = wait_now_ns();

	while (now < until_ns && !interrupted && !asked) {
		uint64_t next = began_ns + ((now - began_ns) / NS_PER_SECOND + 1) * NS_PER_SECOND;

		sleep_until(says && next < until_ns ? next : until_ns);
		now = wait_now_ns();
		if (!says || now >= until_ns)
			continue;
		fprintf(stderr, "\rmemoir: %s, %" PRIu64 " of %" PRIu64 " s", what,
			(now - began_ns) / NS_PER_SECOND,
			(total_ns + NS_PER_SECOND - 1) / NS_PER_SECOND);
		said = true;
	}
	if (said)
		fputs("\r\033[K", stderr);
}
