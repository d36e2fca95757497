// SPDX-License-Identifier: MIT
/*
 * /proc/self/exe. Used by the preload library too, so it needs nothing but libc.
 */
#include "kernel/own_program.h"

#include <errno.h>
#include <unistd.h>

int own_program(char *path, size_t room)
{
	int saved = errno, err = 0;
	ssize_t bytes = readlink("/proc/self/exe", path, room - 1);

	if (bytes < 0)
		err = -errno;
	path[bytes < 0 ? 0 : bytes] = '\0';
	errno = saved;
	return err;
}
