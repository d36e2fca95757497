/* SPDX-License-Identifier: MIT */
/*
 * What rules are made of. A rule is a row of the table in identify.c and a function here.
 */
#ifndef MEMOIR_NAMES_IDENTIFY_RULES_H
#define MEMOIR_NAMES_IDENTIFY_RULES_H

#include "names/identify.h"

#define PAGE 4096u
#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

/* Multiples at which a runtime maps what it fills. */
#define GLIBC_HEAP_BYTES (64 * MIB) /* HEAP_MAX_SIZE of malloc/arena.c; heaps are aligned to it */
#define V8_PAGE_BYTES (256 * KIB)
#define MI_SEGMENT_BYTES (32 * MIB)

/* Programs and libraries whose files tell that a rule may be asked. */
enum {
	PROGRAM_PYTHON = 1u << 0,
	PROGRAM_JAVA = 1u << 1,
	PROGRAM_NODE = 1u << 2,
	PROGRAM_JEMALLOC = 1u << 3,
	PROGRAM_MIMALLOC = 1u << 4,
};

/* The first region of a file of this program: where the file begins. NULL: none. */
struct identify_region *identify_first_of(const struct identify_space *space, uint32_t program);

/* False where it can't be read, or the rule has read enough. */
bool identify_read(struct identify_space *space, uint64_t addr, void *buf, size_t bytes);

/* The region that has this address, or NULL. O(log regions). */
struct identify_region *identify_at(const struct identify_space *space, uint64_t addr);

/* Set the kind of a region, unless the kernel or another rule has told what it is. */
void identify_mark(struct identify_region *region, enum identify_kind kind);

static inline bool identify_is_rw(const struct identify_region *region)
{
	return region->perms[0] == 'r' && region->perms[1] == 'w' && region->perms[3] == 'p';
}

static inline uint64_t identify_bytes(const struct identify_region *region)
{
	return region->end - region->start;
}

/*
 * The address of what a shared object exports by this name, by its own tables in memory; 0: it can't be
 * told. `base` is where the object begins.
 */
uint64_t identify_symbol(struct identify_space *space, uint64_t base, const char *name);

/* ---- of one region that lies as the table says: whether it is of the rule's kind ---------------------------------------- */

bool identify_thread_stack(struct identify_space *space, size_t i);
bool identify_musl_stack(struct identify_space *space, size_t i);
bool identify_glibc_arena(struct identify_space *space, size_t i);
bool identify_python_arena(struct identify_space *space, size_t i);
bool identify_v8_heap(struct identify_space *space, size_t i);
bool identify_mimalloc(struct identify_space *space, size_t i);
bool identify_jit(struct identify_space *space, size_t i);
bool identify_io_uring(struct identify_space *space, size_t i);
bool identify_perf(struct identify_space *space, size_t i);

/* ---- of a process: mark what is ------------------------------------------------------------- */

void identify_java(struct identify_space *space);
void identify_go(struct identify_space *space);
void identify_jemalloc(struct identify_space *space);
void identify_musl(struct identify_space *space);

#endif
