/* SPDX-License-Identifier: MIT */
/*
 * How a process ended that is no child of the caller's.
 */
#ifndef MEMOIR_KERNEL_EXIT_STATUS_H
#define MEMOIR_KERNEL_EXIT_STATUS_H

/* As waitpid(2) has it, once the pidfd is readable. 0; -ENODATA: it is not known (before Linux 6.15). */
int exit_status_of(int pidfd, int *ret_status);

#endif
