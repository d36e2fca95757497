/* SPDX-License-Identifier: MIT */
/*
 * /sys/devices/system/cpu/online.
 */
#ifndef MEMOIR_KERNEL_CPUS_H
#define MEMOIR_KERNEL_CPUS_H

#include "kernel/root.h"

/* How many, if they are those from 0 on; else 0, also where it can't be read. */
unsigned int cpus_in_row(const struct kroot *root);

#endif
