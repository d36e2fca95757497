/* SPDX-License-Identifier: MIT */
/*
 * What a process announces in its own name table: shared buffers that have no fd (memoir/track.h).
 */
#ifndef MEMOIR_NAMES_ANNOUNCE_H
#define MEMOIR_NAMES_ANNOUNCE_H

#include "names/turn.h"

/* Carry out a request about buffers. For the holder of the turn only. */
int announce_carry_out(const struct request *request);

#endif
