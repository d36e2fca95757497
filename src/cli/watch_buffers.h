/* SPDX-License-Identifier: MIT */
/*
 * memoir buffers --watch: what becomes of shared buffers.
 */
#ifndef MEMOIR_CLI_WATCH_BUFFERS_H
#define MEMOIR_CLI_WATCH_BUFFERS_H

#include "cli/cli.h"

#define WATCH_BUFFERS_DEFAULT_NS UINT64_C(1000000000)

/*
 * Look at all buffers every interval and print what was created, held, left and freed since, of what cli's
 * selection means, until interrupted; then, and at each SIGUSR1, the peaks by tag. An exit code.
 */
int watch_buffers(struct cli *cli, uint64_t interval_ns);

#endif
