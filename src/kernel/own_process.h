/* SPDX-License-Identifier: MIT */
/*
 * What memoir sets about its own process, mostly before it goes on in the background.
 */
#ifndef MEMOIR_KERNEL_OWN_PROCESS_H
#define MEMOIR_KERNEL_OWN_PROCESS_H

#include <stddef.h>

/* What ps calls it: 15 characters. */
void own_process_name(const char *name);

/* Where Yama lets only ancestors look into a process, let others of this user look into this one. */
void own_process_open_to_all(void);

/* A death by signal leaves no core file. */
void own_process_no_core(void);

/* Close all fds from `from` on but these, -1 being none of them. */
void own_process_close_others(int from, const int *but, size_t count);

#endif
