// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The same iterator over all open files, of everything that memoir knows.
 */
#define FILES_ALL
#include "files.bpf.c"
