/* SPDX-License-Identifier: MIT */
/*
 * One frame up, by the call frame information that the loader has in memory (.eh_frame). Takes no lock,
 * allocates nothing, and is good in signal handlers.
 */
#ifndef MEMOIR_PRELOAD_UNWIND_H
#define MEMOIR_PRELOAD_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

struct frame {
	uintptr_t pc; /* return address: where this function goes on */
	uintptr_t sp; /* the stack pointer it then has */
};

/*
 * Go on to the caller. false, and the frame as it was: there is no information, or the frame goes by another
 * register than the stack pointer.
 */
bool unwind(struct frame *frame);

#endif
