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

/* Its pages in RAM that count as no other memory; resident_known has to be set. */
static inline uint64_t object_own_bytes(const struct memoir_object *object)
{
	return object->resident_bytes > object->elsewhere_bytes
		       ? object->resident_bytes - object->elsewhere_bytes
		       : 0;
}

/* Those of them that nobody maps; 0 where it is not known what is in RAM. */
static inline uint64_t object_unmapped_bytes(const struct memoir_object *object)
{
	uint64_t own_bytes = object->resident_known ? object_own_bytes(object) : 0;

	return own_bytes > object->mapped_bytes ? own_bytes - object->mapped_bytes : 0;
}

/* Whether there may be much of it in RAM that nothing tells of: buffers of drivers. */
static inline bool object_hides_residency(const struct memoir_object *object)
{
	return !object->resident_known &&
	       (object->kind == MEMOIR_KIND_DMABUF || object->kind == MEMOIR_KIND_DRM ||
		object->kind == MEMOIR_KIND_GUEST_MEMFD);
}

#endif
