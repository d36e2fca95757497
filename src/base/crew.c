// SPDX-License-Identifier: MIT
/*
 * Threads that share a piece of work; how it is divided is none of their business.
 */
#include "base/crew.h"

#include <pthread.h>
#include <unistd.h>

#define OTHERS_MAX 63

struct crew {
	void (*work)(void *arg);
	void *arg;
};

static void *member(void *arg)
{
	const struct crew *crew = arg;

	crew->work(crew->arg);
	return NULL;
}

unsigned int crew_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 0 ? (unsigned int)cpus : 1;
}

void crew_run(unsigned int threads, void (*work)(void *arg), void *arg)
{
	struct crew crew = { work, arg };
	pthread_t others[OTHERS_MAX];
	unsigned int started = 0;

	while (started < OTHERS_MAX && started + 1 < threads &&
	       pthread_create(&others[started], NULL, member, &crew) == 0)
		started++;
	work(arg);
	while (started)
		pthread_join(others[--started], NULL);
}
