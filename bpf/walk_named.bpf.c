// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The walk that takes no lock, and sends small name tables too: a program of its own, as what is in a program takes
 * its time to load even where it is not used.
 */
#define NAMES 1
#include "walk_lockless.bpf.c"
