/* SPDX-License-Identifier: MIT */
/*
 * Looks of a buffer watch at snapshots that are made up, and what it told of them as text.
 */
#ifndef MEMOIR_TESTS_BUFFER_SCENE_H
#define MEMOIR_TESTS_BUFFER_SCENE_H

#include <stdint.h>
#include <sys/types.h>

#include <memoir/analysis.h>
#include <memoir/buffers.h>

#include "analysis/buffer_watch.h"
#include "snapshot/model.h"

#define MAPPED (-100)
#define UNKNOWN 255 /* a fate */

/* A buffer and up to three that hold it. */
struct thing {
	uint64_t inode;
	const char *tag;
	uint64_t bytes;
	struct {
		pid_t pid; /* 0: nobody */
		uint64_t start_ticks;
		int fd; /* or MAPPED */
		const char *comm;
	} held[3];
	uint8_t kind; /* 0: memfd */
	uint8_t fate; /* 0: freed with its last holder; or UNKNOWN */
	uint32_t alias;
	bool unknown; /* what of it is in RAM */
};

struct scene {
	struct memoir_buffer_watch *watch;
	struct memoir_selection *selection;
	uint64_t now;
	char text[4096]; /* what was told of */
	size_t events;
};

#define NOTHING NULL, 0
#define THINGS(array) array, sizeof(array) / sizeof((array)[0])

void begin(struct scene *s, const char *selector);
void end(struct scene *s);

void add_thing(struct memoir_snapshot *s, const struct thing *thing);

/* The next look, at a snapshot that is freed; s->text: "created 7 a", "held 7 a by 10", one a line. */
void look_at(struct scene *s, struct memoir_snapshot *snapshot);
void look(struct scene *s, const struct thing *things, size_t count);
/* With files in flight in a socket. */
void look_in_flight(struct scene *s, const struct thing *things, size_t count, size_t in_flight);
/* What is missing is told of at the second look. */
void look_twice(struct scene *s, const struct thing *things, size_t count);

#endif
