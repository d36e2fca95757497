// SPDX-License-Identifier: MIT
/*
 * mkworld SEED [STEPS]: processes that map, fork, write, move, unmap and exit as the seed has it, and
 * then stand still. It says only who is there, as whose memory is what is for others to find out:
 *
 *     process PID          peer PID OF-PID          READY
 *
 * Ends all of them when its standard input closes.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <unistd.h>

#include "actors.h"
#include "mkworld.h"

#define STEPS 200
#define PROCESSES_MAX 30
/* Before the first fork, so that there is something to share. */
#define STEPS_ALONE 12

struct world {
	uint64_t random;
	uint32_t living_max;
	uint32_t living;
	uint32_t used; /* slots, of those that have exited too */
	bool has_peer[ACTORS_MAX];
	uint32_t peer_of[ACTORS_MAX]; /* itself where it is no peer */
};

uint64_t world_draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t world_draw_below(uint64_t *state, uint32_t below)
{
	return (uint32_t)(world_draw(state) % below);
}

/* One that obeys: peers do not. */
static uint32_t draw_slot(struct world *w)
{
	uint32_t slot;

	do
		slot = world_draw_below(&w->random, w->used);
	while (!actors_pid(slot) || w->peer_of[slot] != slot);
	return slot;
}

static void multiply(struct world *w, uint32_t slot, uint32_t verb)
{
	struct actor_order order = { .verb = verb, .slot = w->used };

	if (w->living == w->living_max || w->used == ACTORS_MAX)
		return;
	if (actors_order(slot, &order).error)
		actors_broken("fork");
	w->peer_of[w->used] = verb == ACTOR_PEER ? slot : w->used;
	w->has_peer[slot] |= verb == ACTOR_PEER;
	w->used++;
	w->living++;
}

static void step(struct world *w, uint32_t number)
{
	struct actor_order order = { .verb = ACTOR_OWN };
	uint32_t slot = draw_slot(w), dice = world_draw_below(&w->random, 100);

	order.numbers[0] = world_draw(&w->random);
	if (number < STEPS_ALONE || dice >= 25) {
		actors_order(slot, &order);
	} else if (dice < 18) {
		multiply(w, slot, ACTOR_FORK);
	} else if (dice < 19) {
		/* The stack it lends is the only one there is. */
		if (!w->has_peer[slot])
			multiply(w, slot, ACTOR_PEER);
	} else if (w->living > 2 && !w->has_peer[slot]) {
		actors_exit(slot);
		w->living--;
	}
}

static void run(struct world *w, uint32_t steps)
{
	char byte;

	for (uint32_t i = 0; i < steps; i++)
		step(w, i);
	printf("process %d\n", getpid());
	for (uint32_t i = 0; i < w->used; i++) {
		if (actors_pid(i) && w->peer_of[i] == i)
			printf("process %d\n", actors_pid(i));
		else if (actors_pid(i))
			printf("peer %d %d\n", actors_pid(i), actors_pid(w->peer_of[i]));
	}
	printf("READY\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
}

/* Where things are mapped decides what the kernel merges: no chance but the seed's. */
static void without_chance(char **argv)
{
	int now = personality(0xffffffff);

	if (now & ADDR_NO_RANDOMIZE || personality((unsigned long)now | ADDR_NO_RANDOMIZE) < 0)
		return;
	execv("/proc/self/exe", argv);
	actors_broken("exec");
}

int main(int argc, char **argv)
{
	struct world w = { .living = 1, .used = 1 };

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: mkworld SEED [STEPS]\n");
		return 2;
	}
	without_chance(argv);
	w.random = strtoull(argv[1], NULL, 10);
	/* Most worlds are small, so that the small ones are looked at from all sides. */
	w.living_max = 1 + world_draw_below(&w.random, world_draw_below(&w.random, 2) ? 8 : 29);
	actors_start(world_step);
	run(&w, argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : STEPS);
	actors_end();
	return 0;
}
