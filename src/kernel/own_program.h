/* SPDX-License-Identifier: MIT */
/*
 * Which program this process runs.
 */
#ifndef MEMOIR_KERNEL_OWN_PROGRAM_H
#define MEMOIR_KERNEL_OWN_PROGRAM_H

#include <stddef.h>

/*
 * The path of its file, as /proc/self/exe has it: with NUL, cut off at `room`. 0 or negative errno: then
 * `path` is "". Good in signal handlers.
 */
int own_program(char *path, size_t room);

#endif
