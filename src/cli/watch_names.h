/* SPDX-License-Identifier: MIT */
/*
 * memoir names --watch: names as programs give them.
 */
#ifndef MEMOIR_CLI_WATCH_NAMES_H
#define MEMOIR_CLI_WATCH_NAMES_H

#include "cli/cli.h"

/*
 * Print each name that a program tries to give its memory, of the processes that cli's selection means, until
 * interrupted; and keep those that the kernel refused, of all processes, for other commands. An exit code.
 */
int watch_names(struct cli *cli);

#endif
