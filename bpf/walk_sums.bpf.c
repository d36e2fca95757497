// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The walk that takes no lock, where nothing but sums of whole processes is asked for: it tells what the kernel counts of
 * an address space (walk_counters.h), no names, and of whoever it is called for all. So it is loaded in two thirds
 * of the time.
 */
#define SUMS 1
#include "walk_lockless.bpf.c"
