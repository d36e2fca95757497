/* SPDX-License-Identifier: MIT */
/*
 * What the two halves of mkworld share: who steps, and what a step does to one process's memory.
 */
#ifndef MKWORLD_H
#define MKWORLD_H

#include <stdint.h>

struct actor_order;
struct actor_reply;

/* One generator for all: the same on every machine. */
uint64_t world_draw(uint64_t *state);
/* Less than `below`. */
uint32_t world_draw_below(uint64_t *state, uint32_t below);

/* In an actor: one step with its memory, drawn from order->numbers[0]. */
void world_step(const struct actor_order *order, struct actor_reply *reply);

#endif
