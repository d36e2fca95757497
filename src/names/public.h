/* SPDX-License-Identifier: MIT */
/*
 * Makes what memoir/name.h and track.h declare visible in libmemoir-name.so; the build includes this before each of
 * its files.
 */
#ifndef MEMOIR_NAMES_PUBLIC_H
#define MEMOIR_NAMES_PUBLIC_H

#pragma GCC visibility push(default)
#include <memoir/name.h>
#include <memoir/track.h>
#pragma GCC visibility pop

#endif
