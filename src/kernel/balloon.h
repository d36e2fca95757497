/* SPDX-License-Identifier: MIT */
/*
 * Whether what a virtio balloon holds still counts as this machine's memory.
 */
#ifndef MEMOIR_KERNEL_BALLOON_H
#define MEMOIR_KERNEL_BALLOON_H

#include <stdbool.h>

#include "kernel/root.h"

/*
 * Balloons take what they hold out of MemTotal; but not those of virtio that give memory back when
 * it runs out (VIRTIO_BALLOON_F_DEFLATE_ON_OOM): theirs stays in MemTotal, used by nobody.
 */
bool balloon_in_total(const struct kroot *root);

#endif
