/* SPDX-License-Identifier: MIT */
/*
 * Processes in slots that do what they are told, one order at a time: the ground of mkworld and
 * mkactors. Actors map no memory of their own accord, and end when the one who orders ends.
 */
#ifndef ACTORS_H
#define ACTORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ACTORS_MAX 64
#define ACTOR_TEXT_MAX 256

enum {
	ACTOR_FORK,  /* becomes the actor in order.slot */
	ACTOR_PEER,  /* the same with CLONE_VM: it obeys nothing but ends with the others */
	ACTOR_VFORK, /* the same; the one who did it obeys nothing any more */
	ACTOR_EXIT,
	ACTOR_OWN, /* from here on for the function given to actors_start() */
};

struct actor_order {
	uint32_t verb;
	uint32_t slot;
	uint64_t numbers[4];
	char text[ACTOR_TEXT_MAX];
};

struct actor_reply {
	int32_t error; /* 0, or an errno */
	int32_t pid;
};

/* Makes the pipes and the actor in slot 0; returns its pid. obey() runs in actors. */
pid_t actors_start(void (*obey)(const struct actor_order *order, struct actor_reply *reply));
/* Gives an order and waits until it is done. */
struct actor_reply actors_order(uint32_t slot, const struct actor_order *order);
/* The pid of an actor that lives, or 0. */
pid_t actors_pid(uint32_t slot);
/* Tells one to exit, and returns when its memory is gone. */
void actors_exit(uint32_t slot);
/* Ends all of them. */
void actors_end(void);

/* Prints what did not work and ends the process; the others follow. */
__attribute__((noreturn)) void actors_broken(const char *what);

#endif
