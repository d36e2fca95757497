// SPDX-License-Identifier: MIT
/*
 * What it costs to announce a buffer that has no fd, from memoir_buffer_init() to memoir_buffer_remove() with one holder
 * in between, beside so many others; and the least that a buffer with an fd costs: memfd_create() and close(), in turn.
 *
 *     lib-announce [BUFFERS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memoir/track.h>

#include "timing.h"

#define ROUNDS 101
#define LIVES 500

static uint64_t announce_ns(void)
{
	uint64_t began = now_ns();

	for (int i = 0; i < LIVES; i++) {
		uint32_t buffer;

		if (memoir_buffer_init(1 + next_random(), "a frame", &buffer) < 0 ||
		    memoir_buffer_install(buffer, 0) < 0 ||
		    memoir_buffer_uninstall(buffer, 0) < 0 || memoir_buffer_remove(buffer) < 0)
			exit(1);
	}
	return (now_ns() - began) / LIVES;
}

static uint64_t memfd_ns(void)
{
	uint64_t began = now_ns();

	for (int i = 0; i < LIVES; i++)
		close(memfd_create("a frame", MFD_CLOEXEC));
	return (now_ns() - began) / LIVES;
}

int main(int argc, char **argv)
{
	static uint64_t announced[ROUNDS], memfds[ROUNDS], ratios[ROUNDS];
	uint32_t others = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000, buffer;

	for (uint32_t i = 0; i < others; i++)
		if (memoir_buffer_init(4096, "another", &buffer) < 0 ||
		    memoir_buffer_install(buffer, 0) < 0)
			return 1;
	for (int i = 0; i < ROUNDS; i++) {
		announced[i] = announce_ns();
		memfds[i] = memfd_ns();
		ratios[i] = memfds[i] ? announced[i] * 1000 / memfds[i] : 0;
	}
	printf("announced_ns %llu\nmemfd_ns %llu\nannounced_ratio %llu\n",
	       (unsigned long long)median_u64(announced, ROUNDS),
	       (unsigned long long)median_u64(memfds, ROUNDS),
	       (unsigned long long)median_u64(ratios, ROUNDS));
	return 0;
}
