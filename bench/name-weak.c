// SPDX-License-Identifier: MIT
/*
 * What memoir/name-weak.h costs a program that does not have libmemoir-name: ps a call, less what the
 * loop costs without it.
 */
#include <stdint.h>
#include <stdio.h>

#include <memoir/name-weak.h>

#include "timing.h"

#define CALLS 200000000u

int main(void)
{
	uint64_t began = now_ns(), empty_ns, call_ns;
	static char memory[4096];

	for (uint32_t i = 0; i < CALLS; i++)
		__asm__ volatile("" ::: "memory");
	empty_ns = now_ns() - began;
	began = now_ns();
	for (uint32_t i = 0; i < CALLS; i++) {
		__asm__ volatile("" ::: "memory");
		memoir_name_weak(memory, sizeof(memory), "a name");
	}
	call_ns = now_ns() - began;
	printf("weak_ps %.0f\n",
	       call_ns > empty_ns ? (double)(call_ns - empty_ns) * 1000 / CALLS : 0.0);
	return 0;
}
