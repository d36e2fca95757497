/* SPDX-License-Identifier: MIT */
/*
 * What is true of an object by itself.
 */
#ifndef MEMOIR_ANALYSIS_OBJECTS_H
#define MEMOIR_ANALYSIS_OBJECTS_H

#include <memoir/snapshot.h>

/* Whether there can be an fd of it: not of MAP_SHARED|MAP_ANONYMOUS and SysV segments. */
static inline bool object_may_be_open(const struct memoir_object *object)
{
	return object->kind != MEMOIR_KIND_SHARED_ANON && object->kind != MEMOIR_KIND_SYSV;
}

#endif
