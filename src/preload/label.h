/* SPDX-License-Identifier: MIT */
/*
 * What memory is called by who mapped it: "libfoo.so.1:function", by the rules for names.
 */
#ifndef MEMOIR_PRELOAD_LABEL_H
#define MEMOIR_PRELOAD_LABEL_H

#include <memoir/name.h>

/*
 * path: of the library or program, of which the last part is used; function: NULL where it is not known, and
 * of C++ and Rust as it is written there, where that is simple.
 * What may not stand in a name becomes '_'; what does not fit is cut off, the function first.
 */
void label_make(char label[MEMOIR_NAME_MAX], const char *path, const char *function);

#endif
