// SPDX-License-Identifier: MIT
/*
 * Threads that share a piece of work; how it is divided is none of their business.
 */
#include "base/crew.h"

#include <sched.h>
#include <stdbool.h>
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
	cpu_set_t allowed;
	long cpus;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		return (unsigned int)CPU_COUNT(&allowed);
	/* More of them than the set has room for. */
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return cpus > 0 ? (unsigned int)cpus : 1;
}

/* Those of the CPUs that the caller is not on; false: there are none. */
static bool other_cpus(const cpu_set_t *allowed, cpu_set_t *ret_others)
{
	int here = sched_getcpu();

	if (here < 0)
		return false;
	*ret_others = *allowed;
	CPU_CLR((size_t)here, ret_others);
	return CPU_COUNT(ret_others) > 0;
}

int crew_thread(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
	cpu_set_t allowed, others;
	bool elsewhere = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 &&
			 other_cpus(&allowed, &others);
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	if (elsewhere)
		err = pthread_attr_setaffinity_np(&attr, sizeof(others), &others);
	if (!err)
		err = pthread_create(ret_thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	/* Only where it begins: that CPU may have other things to do. */
	if (!err && elsewhere)
		pthread_setaffinity_np(*ret_thread, sizeof(allowed), &allowed);
	return -err;
}

void crew_run(unsigned int threads, void (*work)(void *arg), void *arg)
{
	struct crew crew = { work, arg };
	pthread_t others[OTHERS_MAX];
	unsigned int started = 0;

	while (started < OTHERS_MAX && started + 1 < threads &&
	       crew_thread(&others[started], member, &crew) == 0)
		started++;
	work(arg);
	while (started)
		pthread_join(others[--started], NULL);
}
