/* SPDX-License-Identifier: MIT */
/*
 * Small families of processes made by hand, for tests of what is answered from sharing sets.
 */
#ifndef MEMOIR_TESTS_FAMILY_H
#define MEMOIR_TESTS_FAMILY_H

#include <stdlib.h>

#include <memoir/analysis.h>

#include "snapshot/model.h"

#define MIB UINT64_C(1048576)

static inline struct memoir_snapshot *new_snapshot(void)
{
	struct memoir_snapshot *s = snapshot_new();

	s->engine = MEMOIR_ENGINE_TABLES;
	s->sets_known = s->holders_known = true;
	return s;
}

static inline uint32_t add_process(struct memoir_snapshot *s, pid_t pid)
{
	*snapshot_add_process(s) = (struct memoir_process){
		.pid = pid,
		.ppid = 1,
		.comm = "actor",
		.first_region = (uint32_t)s->region_count,
		.page_table_known = true,
		.threads = 1,
		.in_scope = true,
		.readable = true,
	};
	return (uint32_t)s->process_count - 1;
}

static inline void add_peer(struct memoir_snapshot *s, pid_t peer)
{
	struct memoir_process *process = &s->processes[s->process_count - 1];
	pid_t *peers = malloc(sizeof(*peers));

	*peers = peer;
	process->peers = peers;
	process->peer_count = 1;
}

/* Arguments are worked out before the arrays are looked at, which adding moves. */
static inline struct memoir_process *the_process(struct memoir_snapshot *s, uint32_t i)
{
	return &s->processes[i];
}

static inline struct memoir_region *the_region(struct memoir_snapshot *s, uint32_t i)
{
	return &s->regions[i];
}

/* Of the process added last. */
static inline uint32_t add_region(struct memoir_snapshot *s, enum memoir_kind kind, uint32_t object)
{
	*snapshot_add_region(s) = (struct memoir_region){
		.start = 0x10000 * (s->region_count + 1),
		.end = 0x10000 * (s->region_count + 2),
		.kind = (uint8_t)kind,
		.process = (uint32_t)s->process_count - 1,
		.object = object,
		.family = MEMOIR_NONE,
		.figures.known = (1u << MEMOIR_FIGURES) - 1,
	};
	s->processes[s->process_count - 1].region_count++;
	return (uint32_t)s->region_count - 1;
}

static inline struct memoir_region *add_anon(struct memoir_snapshot *s, uint64_t own_bytes)
{
	struct memoir_region *region = the_region(s, add_region(s, MEMOIR_KIND_ANON, MEMOIR_NONE));

	region->own_anon_bytes = region->figures.bytes[MEMOIR_USS] = own_bytes;
	return region;
}

static inline uint32_t add_object(struct memoir_snapshot *s, enum memoir_kind kind,
				  enum memoir_fate fate, uint64_t resident_bytes)
{
	*snapshot_add_object(s) = (struct memoir_object){
		.kind = (uint8_t)kind,
		.fate = (uint8_t)fate,
		.resident_bytes = resident_bytes,
		.resident_known = true,
		.path = "/object",
	};
	return (uint32_t)s->object_count - 1;
}

/* A region of an object, all whose mapped pages are its own. */
static inline uint32_t map_object(struct memoir_snapshot *s, uint32_t object, uint64_t own_bytes)
{
	uint32_t region = add_region(s, s->objects[object].kind, object);

	s->regions[region].figures.bytes[MEMOIR_USS] = own_bytes;
	s->objects[object].mapped_bytes += own_bytes;
	return region;
}

static inline void hold(struct memoir_snapshot *s, uint32_t object, uint32_t process)
{
	*snapshot_add_holder(s) = (struct memoir_holder){ object, process, 3 };
}

static inline uint32_t add_set(struct memoir_snapshot *s, uint32_t parent, uint32_t region,
			       uint64_t ram_bytes, uint64_t freed_bytes)
{
	*snapshot_add_set(s) = (struct memoir_set){
		.parent = parent,
		.region = region,
		.members = parent == MEMOIR_NONE ? 1 : s->sets[parent].members + 1,
		.ram_bytes = ram_bytes,
		.freed_bytes = freed_bytes,
	};
	return (uint32_t)s->set_count - 1;
}

/* To be freed by free(). */
static inline struct memoir_footprint *footprints_of(struct memoir_snapshot *s)
{
	struct memoir_footprint *footprints = NULL;

	snapshot_sum_processes(s);
	return memoir_footprints(s, &footprints) == 0 ? footprints : NULL;
}

#endif
