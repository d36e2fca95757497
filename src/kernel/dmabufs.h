/* SPDX-License-Identifier: MIT */
/*
 * All dma-bufs of the machine, also those that no process has: BPF iterator, Linux 6.16, CAP_BPF and
 * CAP_PERFMON; 2 ms to load, for each call.
 */
#ifndef MEMOIR_KERNEL_DMABUFS_H
#define MEMOIR_KERNEL_DMABUFS_H

#include "kernel/files.h"

/* Each of them as an open file of nobody (pid 0, fd -1). 0, what each() returned, -EOPNOTSUPP, -EPERM … */
int dmabufs_each(const struct kroot *root, open_file_fn each, void *arg);

#endif
