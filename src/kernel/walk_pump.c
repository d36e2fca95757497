// SPDX-License-Identifier: MIT
/*
 * A few arenas, two threads: one lets the kernel fill, the other takes out. Knows no record.
 */
#include "kernel/walk_pump.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/crew.h"

struct pump {
	int iter;
	const struct walk_arenas *arenas;
	pthread_mutex_t lock;
	pthread_cond_t turned;
	uint64_t used[WALK_ARENAS];
	bool filled[WALK_ARENAS];
	bool last[WALK_ARENAS]; /* the stream ends with this one */
	bool stop;
	int error;
};

/* Fill one arena. Whether there is more: the program stops when its arena is full. */
static bool fill(struct pump *pump, unsigned int arena, uint64_t *ret_used)
{
	struct walk_state *state = pump->arenas->state;
	char byte;
	ssize_t got;

	state->arena = arena;
	state->used = 0;
	state->full = 0;
	got = read(pump->iter, &byte, sizeof(byte));
	*ret_used = state->used;
	/* EAGAIN: the arena is full, or very many objects were passed over. */
	if (got < 0 && errno != EAGAIN && errno != EINTR)
		pump->error = -errno;
	return got > 0 || (got < 0 && !pump->error);
}

static void *fill_in_turns(void *arg)
{
	struct pump *pump = arg;
	bool more = true;

	for (unsigned int arena = 1; more; arena = (arena + 1) % WALK_ARENAS) {
		uint64_t used = 0;

		pthread_mutex_lock(&pump->lock);
		while (pump->filled[arena] && !pump->stop)
			pthread_cond_wait(&pump->turned, &pump->lock);
		bool stop = pump->stop;

		pthread_mutex_unlock(&pump->lock);
		if (stop)
			break;
		more = fill(pump, arena, &used);
		pthread_mutex_lock(&pump->lock);
		pump->used[arena] = used;
		pump->filled[arena] = true;
		pump->last[arena] = !more;
		pthread_cond_signal(&pump->turned);
		pthread_mutex_unlock(&pump->lock);
	}
	return NULL;
}

static void wait_for(struct pump *pump, unsigned int arena)
{
	pthread_mutex_lock(&pump->lock);
	while (!pump->filled[arena])
		pthread_cond_wait(&pump->turned, &pump->lock);
	pthread_mutex_unlock(&pump->lock);
}

static void give_back(struct pump *pump, unsigned int arena, bool stop)
{
	pthread_mutex_lock(&pump->lock);
	pump->filled[arena] = false;
	pump->stop = stop;
	pthread_cond_signal(&pump->turned);
	pthread_mutex_unlock(&pump->lock);
}

static int take_in_turns(struct pump *pump,
			 int (*each)(const char *records, uint64_t used, void *arg), void *arg)
{
	bool last = false;
	int err = 0;

	for (unsigned int arena = 0; !last && !err; arena = (arena + 1) % WALK_ARENAS) {
		wait_for(pump, arena);
		last = pump->last[arena];
		err = each(pump->arenas->bytes + arena * pump->arenas->stride, pump->used[arena],
			   arg);
		give_back(pump, arena, err);
	}
	return err;
}

/* Where no thread can be had: one after the other. */
static int alternate(struct pump *pump, int (*each)(const char *records, uint64_t used, void *arg),
		     void *arg)
{
	bool more = true;
	int err = each(pump->arenas->bytes, pump->used[0], arg);

	while (more && !err && !pump->error) {
		more = fill(pump, 0, &pump->used[0]);
		err = each(pump->arenas->bytes, pump->used[0], arg);
	}
	return err;
}

int walk_pump(int iter, const struct walk_arenas *arenas,
	      int (*each)(const char *records, uint64_t used, void *arg), void *arg)
{
	struct pump pump = {
		.iter = iter,
		.arenas = arenas,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turned = PTHREAD_COND_INITIALIZER,
	};
	pthread_t filler;
	int err;

	/* Most walks fit into one arena. */
	if (!fill(&pump, 0, &pump.used[0])) {
		err = each(arenas->bytes, pump.used[0], arg);
		return err ? err : pump.error;
	}
	pump.filled[0] = true;
	if (crew_thread(&filler, fill_in_turns, &pump) != 0) {
		err = alternate(&pump, each, arg);
	} else {
		err = take_in_turns(&pump, each, arg);
		pthread_join(filler, NULL);
	}
	return err ? err : pump.error;
}
