// SPDX-License-Identifier: MIT
/*
 * A few arenas, two threads: one lets the kernel fill, the other takes out. Knows no record.
 *
 * Most of what filling costs is waiting for memory, which two CPUs can do at the same time. So the one that takes out
 * does not sleep while there is nothing to be taken out: it has the kernel fill an arena of its own with the next
 * process that nobody walks yet, and takes that out.
 */
#include "kernel/walk_pump.h"

#include <pthread.h>
#include <sched.h>

#include "base/crew.h"

struct filled {
	uint64_t used;
	enum walk_fill fill;
	bool whole; /* no process goes on in the next one */
};

struct pump {
	struct walk_source *source;
	int (*each)(const char *records, uint64_t used, void *arg);
	void *arg;
	unsigned int first; /* the arena that the thread begins with */
	pthread_mutex_t lock;
	pthread_cond_t turned;
	struct filled filled[WALK_ARENAS];
	bool is_filled[WALK_ARENAS];
	bool stop;
	int error; /* of filling in turns */
};

static int fill(struct pump *pump, unsigned int walker, unsigned int arena,
		struct filled *ret_filled)
{
	struct walk_source *source = pump->source;
	struct walk_state *state = source->states[walker];
	enum walk_fill filled = WALK_FILL_END;

	state->arena = arena;
	state->used = 0;
	state->full = 0;
	int err = source->fill(source, walker, &filled);

	*ret_filled = (struct filled){ err ? 0 : state->used, filled, !state->begun };
	return err;
}

static int take_out(struct pump *pump, unsigned int arena, const struct filled *filled)
{
	return pump->each(pump->source->bytes + arena * pump->source->stride, filled->used,
			  pump->arg);
}

static bool is_filled(struct pump *pump, unsigned int arena)
{
	pthread_mutex_lock(&pump->lock);
	bool filled = pump->is_filled[arena];

	pthread_mutex_unlock(&pump->lock);
	return filled;
}

/*
 * Who takes out does not sleep, so to be woken may mean to wait on his CPU until the kernel moves one of them, which
 * takes milliseconds: and the wait for an arena is mostly over in less than one.
 */
#define LOOKS 1000

static void look_for_room(struct pump *pump, unsigned int arena)
{
	for (unsigned int i = 0; i < LOOKS && is_filled(pump, arena); i++)
		sched_yield();
}

static void *fill_in_turns(void *arg)
{
	struct pump *pump = arg;
	struct filled filled = { .fill = WALK_FILL_GOES_ON };

	for (unsigned int arena = pump->first; filled.fill != WALK_FILL_END;
	     arena = (arena + 1) % WALK_ARENAS) {
		look_for_room(pump, arena);
		pthread_mutex_lock(&pump->lock);
		while (pump->is_filled[arena] && !pump->stop)
			pthread_cond_wait(&pump->turned, &pump->lock);
		bool stop = pump->stop;

		pthread_mutex_unlock(&pump->lock);
		if (stop)
			break;
		int err = fill(pump, 0, arena, &filled);

		if (err)
			filled.fill = WALK_FILL_END;
		pthread_mutex_lock(&pump->lock);
		pump->filled[arena] = filled;
		pump->is_filled[arena] = true;
		pump->error = err;
		pthread_cond_signal(&pump->turned);
		pthread_mutex_unlock(&pump->lock);
	}
	return NULL;
}

static void wait_for(struct pump *pump, unsigned int arena)
{
	pthread_mutex_lock(&pump->lock);
	while (!pump->is_filled[arena])
		pthread_cond_wait(&pump->turned, &pump->lock);
	pthread_mutex_unlock(&pump->lock);
}

static void give_back(struct pump *pump, unsigned int arena, bool stop)
{
	pthread_mutex_lock(&pump->lock);
	pump->is_filled[arena] = false;
	pump->stop = stop;
	pthread_cond_signal(&pump->turned);
	pthread_mutex_unlock(&pump->lock);
}

/* As the second walker: all of the next process that nobody has begun with, if there is one. */
static int walk_one(struct pump *pump, enum walk_fill *ret_fill)
{
	struct filled filled;
	int err;

	do {
		err = fill(pump, 1, WALK_ARENAS, &filled);
		if (!err)
			err = take_out(pump, WALK_ARENAS, &filled);
	} while (!err && !filled.whole);
	*ret_fill = filled.fill;
	return err;
}

/* While there is nothing else to do. */
static int help(struct pump *pump, unsigned int arena)
{
	enum walk_fill fill = WALK_FILL_GOES_ON;
	int err = 0;

	while (!err && fill == WALK_FILL_GOES_ON && !is_filled(pump, arena))
		err = walk_one(pump, &fill);
	return err;
}

static int take_in_turns(struct pump *pump)
{
	struct filled filled = { .fill = WALK_FILL_GOES_ON };
	bool may_help = pump->source->states[1] && pump->first == 0;
	int err = 0;

	for (unsigned int arena = 0; filled.fill != WALK_FILL_END && !err;
	     arena = (arena + 1) % WALK_ARENAS) {
		if (may_help)
			err = help(pump, arena);
		if (err)
			break;
		wait_for(pump, arena);
		filled = pump->filled[arena];
		may_help = pump->source->states[1] && filled.whole;
		err = take_out(pump, arena, &filled);
		give_back(pump, arena, err);
	}
	return err;
}

/* Where no thread can be had, or none is worth it: one after the other. */
static int alternate(struct pump *pump)
{
	struct filled filled = pump->filled[0];
	int err = take_out(pump, 0, &filled);

	while (!err && filled.fill != WALK_FILL_END) {
		err = fill(pump, 0, 0, &filled);
		if (!err)
			err = take_out(pump, 0, &filled);
	}
	return err;
}

static int begin(struct pump *pump)
{
	const struct walk_source *source = pump->source;

	return source->begun ? source->begun(source->begun_arg) : 0;
}

static int take_from(struct pump *pump, pthread_t filler)
{
	int err = begin(pump);

	if (!err)
		err = take_in_turns(pump);
	if (err)
		give_back(pump, 0, true);
	pthread_join(filler, NULL);
	return err ? err : pump->error;
}

static int take_all(struct pump *pump)
{
	pthread_t filler;
	int err;

	if (pump->source->many && crew_thread(&filler, fill_in_turns, pump) == 0)
		return take_from(pump, filler);
	/* Most walks fit into one arena. */
	err = fill(pump, 0, 0, &pump->filled[0]);
	if (err)
		return err;
	pump->first = 1;
	pump->is_filled[0] = true;
	if (pump->filled[0].fill != WALK_FILL_END && !pump->source->alone &&
	    crew_thread(&filler, fill_in_turns, pump) == 0)
		return take_from(pump, filler);
	err = begin(pump);
	return err ? err : alternate(pump);
}

int walk_pump(struct walk_source *source,
	      int (*each)(const char *records, uint64_t used, void *arg), void *arg)
{
	struct pump pump = {
		.source = source,
		.each = each,
		.arg = arg,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turned = PTHREAD_COND_INITIALIZER,
	};

	return take_all(&pump);
}
