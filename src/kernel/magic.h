/* SPDX-License-Identifier: MIT */
/*
 * Magic numbers of file systems, as statfs(2) has them.
 */
#ifndef MEMOIR_KERNEL_MAGIC_H
#define MEMOIR_KERNEL_MAGIC_H

#include <linux/magic.h>

/* Older headers lack it. */
#ifndef GUEST_MEMFD_MAGIC
#define GUEST_MEMFD_MAGIC 0x474d454d
#endif

#endif
