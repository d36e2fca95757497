/* SPDX-License-Identifier: MIT */
/*
 * Makes what memoir/name.h declares visible in libmemoir-name.so; the build includes this before each of
 * its files.
 */
#ifndef MEMOIR_NAMES_PUBLIC_H
#define MEMOIR_NAMES_PUBLIC_H

#pragma GCC visibility push(default)
#include <memoir/name.h>
#pragma GCC visibility pop

#endif
