/* SPDX-License-Identifier: MIT */
/*
 * Makes what the public headers declare visible in libmemoir.so, which is compiled with everything
 * else hidden. The build includes this before each file of the library; nobody else may.
 */
#ifndef MEMOIR_PUBLIC_H
#define MEMOIR_PUBLIC_H

#pragma GCC visibility push(default)
#include <memoir/analysis.h>
#include <memoir/buffers.h>
#include <memoir/diff.h>
#include <memoir/hint.h>
#include <memoir/idle.h>
#include <memoir/memoir.h>
#include <memoir/refault.h>
#include <memoir/select.h>
#include <memoir/snapshot.h>
#include <memoir/subject.h>
#include <memoir/tag.h>
#include <memoir/who.h>
#pragma GCC visibility pop

#endif
