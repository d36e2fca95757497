/* SPDX-License-Identifier: MIT */
/*
 * What a fuzz target gives and replay.c drives; LLVMFuzzerTestOneInput is also what libFuzzer calls.
 */
#ifndef MEMOIR_TESTS_FUZZ_REPLAY_H
#define MEMOIR_TESTS_FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

/* One input; abort() where something that must hold does not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort() with the place, also in builds without assert(). */
#define FUZZ_HOLDS(condition)                                                           \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: " #condition "\n", __FILE__, __LINE__); \
			abort();                                                        \
		}                                                                       \
	} while (0)

#endif
