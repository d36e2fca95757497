/* SPDX-License-Identifier: MIT */
/*
 * memoir run --auto: the preload library, for the program to come.
 */
#ifndef MEMOIR_CLI_RUN_AUTO_H
#define MEMOIR_CLI_RUN_AUTO_H

/*
 * Put the library first in LD_PRELOAD; says so if it won't reach this program. EXIT_DONE; EXIT_FAILED: said why.
 */
int run_auto_preload(const char *program);

#endif
