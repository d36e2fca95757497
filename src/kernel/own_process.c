// SPDX-License-Identifier: MIT
/*
 * prctl(2) and close_range(2) on memoir itself; where one isn't there, nothing is done.
 */
#include "kernel/own_process.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* the same on every architecture */
#endif

void own_process_name(const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
}

void own_process_open_to_all(void)
{
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
}

void own_process_no_core(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void own_process_close_others(int from, const int *but, size_t count)
{
	for (;;) {
		int next = -1;

		for (size_t i = 0; i < count; i++)
			if (but[i] >= from && (next < 0 || but[i] < next))
				next = but[i];
		if (next < 0)
			break;
		if (next > from)
			syscall(SYS_close_range, from, next - 1, 0);
		from = next + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
}
