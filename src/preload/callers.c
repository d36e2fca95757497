// SPDX-License-Identifier: MIT
/*
 * A table of fixed size by return address. A slot is written by one thread at a time, read without waiting,
 * and a reading that met a writer does not count. What is not found is made out anew.
 */
#include "preload/callers.h"

#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/own_program.h"
#include "preload/label.h"
#include "preload/symbol.h"
#include "preload/unwind.h"

#define SLOTS 1024u /* a power of two */
#define TRIES 4u
#define WORDS (MEMOIR_NAME_MAX / sizeof(uint64_t))
#define FRAMES_MAX 4

static struct slot {
	uintptr_t address;
	uint32_t version; /* odd: it is being written */
	uint32_t generation;
	uint64_t words[WORDS];
} slots[SLOTS];

static uint32_t generation = 1;

/* The last part of the program's path: where it is looked for there is room for all of it. */
static char program[NAME_MAX + 1];

__attribute__((constructor)) static void find_program(void)
{
	char path[PATH_MAX];
	const char *slash = own_program(path, sizeof(path)) == 0 ? strrchr(path, '/') : NULL;

	if (slash)
		strncpy(program, slash + 1, sizeof(program) - 1);
}

static struct slot *slot_of(uintptr_t address, uint32_t try)
{
	uint64_t hash = (uint64_t)address * 0x9e3779b97f4a7c15u;

	return &slots[((hash >> 54) + try) % SLOTS];
}

/* ---- making out ----------------------------------------------------------------------------- */

static void make_out(uintptr_t address, char name[MEMOIR_NAME_MAX])
{
	struct dl_find_object object;
	const struct link_map *map;

	name[0] = '\0';
	/* A call may be the last thing in its function: what comes behind is another one's. */
	if (_dl_find_object((void *)(address - 1), &object) < 0)
		return;
	map = object.dlfo_link_map;
	/* The program itself has no name there. */
	label_make(name, *map->l_name ? map->l_name : program, symbol_at(map, address - 1));
}

/* ---- remembering ---------------------------------------------------------------------------- */

static bool read_slot(const struct slot *slot, uintptr_t address, char name[MEMOIR_NAME_MAX])
{
	uint32_t version = __atomic_load_n(&slot->version, __ATOMIC_ACQUIRE);
	uint64_t words[WORDS];

	if (version & 1 || __atomic_load_n(&slot->address, __ATOMIC_ACQUIRE) != address ||
	    __atomic_load_n(&slot->generation, __ATOMIC_ACQUIRE) !=
		    __atomic_load_n(&generation, __ATOMIC_ACQUIRE))
		return false;
	for (size_t i = 0; i < WORDS; i++)
		words[i] = __atomic_load_n(&slot->words[i], __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&slot->version, __ATOMIC_RELAXED) != version)
		return false;
	memcpy(name, words, sizeof(words));
	return true;
}

static void write_slot(struct slot *slot, uintptr_t address, uint32_t now,
		       const char name[MEMOIR_NAME_MAX])
{
	uint32_t version = __atomic_load_n(&slot->version, __ATOMIC_RELAXED);
	uint64_t words[WORDS];

	/* Another thread's, or that of what this signal handler interrupted: then it is not remembered. */
	if (version & 1 || !__atomic_compare_exchange_n(&slot->version, &version, version + 1,
							false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	memcpy(words, name, sizeof(words));
	__atomic_store_n(&slot->address, address, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->generation, now, __ATOMIC_RELEASE);
	for (size_t i = 0; i < WORDS; i++)
		__atomic_store_n(&slot->words[i], words[i], __ATOMIC_RELEASE);
	__atomic_store_n(&slot->version, version + 2, __ATOMIC_RELEASE);
}

/* A slot that nothing current is in; else one of them gives way, another for each caller. */
static struct slot *slot_for(uintptr_t address, uint32_t now)
{
	for (uint32_t try = 0; try < TRIES; try++) {
		struct slot *slot = slot_of(address, try);

		if (__atomic_load_n(&slot->generation, __ATOMIC_RELAXED) != now)
			return slot;
	}
	return slot_of(address, (uint32_t)(address >> 2) % TRIES);
}

void callers_name(const void *return_address, char name[MEMOIR_NAME_MAX])
{
	uintptr_t address = (uintptr_t)return_address;
	uint32_t now = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);

	for (uint32_t try = 0; try < TRIES; try++)
		if (read_slot(slot_of(address, try), address, name))
			return;
	memset(name, 0, MEMOIR_NAME_MAX);
	make_out(address, name);
	write_slot(slot_for(address, now), address, now, name);
}

void callers_forget(void)
{
	__atomic_add_fetch(&generation, 1, __ATOMIC_ACQ_REL);
}

/* ---- who asked ------------------------------------------------------------------------------ */

/* Who asks malloc for others: operator new and new[], of whichever library, and libc (strdup and so on). */
static bool passes_on(const char *name)
{
	const char *function = strchr(name, ':');

	return strncmp(name, "libc.so", 7) == 0 ||
	       (function &&
		(strncmp(function, ":_Znw", 5) == 0 || strncmp(function, ":_Zna", 5) == 0));
}

void callers_name_of_malloc(const void *return_address, const void *top, char name[MEMOIR_NAME_MAX])
{
	struct frame frame = { (uintptr_t)return_address, (uintptr_t)top };
	char above[MEMOIR_NAME_MAX];

	callers_name(return_address, name);
	for (int i = 0; i < FRAMES_MAX && passes_on(name) && unwind(&frame); i++) {
		callers_name((const void *)frame.pc, above);
		if (!*above)
			return;
		memcpy(name, above, sizeof(above));
	}
}

bool callers_is_names(const void *return_address)
{
	static uintptr_t start, bytes;
	uintptr_t known = __atomic_load_n(&bytes, __ATOMIC_ACQUIRE);

	if (__builtin_expect(!known, 0)) {
		struct dl_find_object object;

		if (_dl_find_object((void *)memoir_name, &object) < 0)
			return false;
		known = (uintptr_t)object.dlfo_map_end - (uintptr_t)object.dlfo_map_start;
		__atomic_store_n(&start, (uintptr_t)object.dlfo_map_start, __ATOMIC_RELAXED);
		__atomic_store_n(&bytes, known, __ATOMIC_RELEASE);
	}
	return (uintptr_t)return_address - __atomic_load_n(&start, __ATOMIC_RELAXED) < known;
}
