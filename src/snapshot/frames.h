/* SPDX-License-Identifier: MIT */
/*
 * The machine's own lines of a snapshot: zram always, frames if asked for.
 */
#ifndef MEMOIR_SNAPSHOT_FRAMES_H
#define MEMOIR_SNAPSHOT_FRAMES_H

#include "snapshot/capture.h"

/*
 * To be called right after /proc/meminfo was read. What can't be read is left out or noted.
 * 0 or -ENOMEM.
 */
int capture_frames(struct capture *c);

#endif
