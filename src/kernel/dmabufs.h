/* SPDX-License-Identifier: MIT */
/*
 * dma-bufs that no fd leads to, by BPF iterators: CAP_BPF and CAP_PERFMON; 2 ms to load, for each call.
 */
#ifndef MEMOIR_KERNEL_DMABUFS_H
#define MEMOIR_KERNEL_DMABUFS_H

#include "kernel/files.h"

/*
 * All of the machine, also those that no process has (Linux 6.16), each as an open file of nobody (pid 0).
 * 0, what each() returned, -EOPNOTSUPP, -EPERM …
 */
int dmabufs_each(const struct kroot *root, open_file_fn each, void *arg);

/* The same of those that some process maps, once for each mapping (Linux 5.17); 0.2 µs a VMA. */
int dmabufs_each_mapped(const struct kroot *root, open_file_fn each, void *arg);

#endif
