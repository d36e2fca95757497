// SPDX-License-Identifier: MIT
/*
 * The calls of memoir/name.h: arguments, where names live, and the way to the table.
 */
#include <memoir/name.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "names/announce.h"
#include "names/system.h"
#include "names/table.h"
#include "names/turn.h"

enum {
	PLACE_TABLE = MEMOIR_NAMES_IN_TABLE,
	PLACE_KERNEL = MEMOIR_NAMES_IN_KERNEL,
	PLACES_KNOWN = 4,
};

static uint32_t places_chosen;

/* ---- where names live ----------------------------------------------------------------------- */

static uint32_t choose(const char *mode)
{
	static const struct {
		const char *mode;
		uint32_t places;
	} modes[] = {
		{ "kernel", PLACE_KERNEL },
		{ "table", PLACE_TABLE },
		{ "both", PLACE_TABLE | PLACE_KERNEL },
		{ "off", 0 },
	};

	for (size_t i = 0; mode && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(mode, modes[i].mode) == 0)
			return modes[i].places;
	return system_kernel_names() ? PLACE_KERNEL : PLACE_TABLE;
}

static uint32_t places(void)
{
	uint32_t chosen = __atomic_load_n(&places_chosen, __ATOMIC_RELAXED);

	if (__builtin_expect(!chosen, 0)) {
		chosen = choose(secure_getenv("MEMOIR_NAMES")) | PLACES_KNOWN;
		__atomic_store_n(&places_chosen, chosen, __ATOMIC_RELAXED);
	}
	return chosen;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static bool is_valid(const char *name, size_t length)
{
	return !name || name_is_valid(name, length);
}

/* All but the name's characters. Addresses that no memory has are cut off: [start, end) may be nothing. */
static int take_arguments(const void *addr, size_t len, const char *name, struct request *r)
{
	r->what = REQUEST_NAME;
	r->no_name = !name;
	r->length = 0;
	if (name) {
		size_t length = strnlen(name, MEMOIR_NAME_MAX);

		if (length == MEMOIR_NAME_MAX)
			return -EINVAL;
		r->length = (uint8_t)length;
		r->hash = XXH3_64bits(name, length);
	}
	r->start = (uintptr_t)addr;
	if (__builtin_add_overflow(r->start, len, &r->end))
		return -EINVAL;
	if (r->end > NAME_ANNOUNCED)
		r->end = NAME_ANNOUNCED;
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------ */

static int set_name(const struct request *r, const char *name, bool checked)
{
	struct text text = { name, r->length, r->hash };
	uint32_t number = 0;
	int err = 0;

	if (!space.header) {
		if (r->no_name)
			return 0;
		if (!checked && !is_valid(name, r->length))
			return -EINVAL;
		err = table_open(NULL);
	}
	if (err)
		return err;
	if (!r->no_name) {
		number = strings_find(&text);
		/* What is known was valid once. */
		if (!number && !checked && !is_valid(name, r->length))
			return -EINVAL;
		if (!number)
			number = strings_add(&text);
		if (!number)
			return -ENOMEM;
	}
	return table_set(r->start, r->end, number);
}

static int move_names(const struct request *r)
{
	bool stays = r->what == REQUEST_COPY;

	return space.header ? table_move(r->start, r->end, r->to, r->to_bytes, stays) : 0;
}

static int carry_out(const struct request *request)
{
	switch ((enum request_what)request->what) {
	case REQUEST_NAME:
		return set_name(request, request->name, true);
	case REQUEST_MOVE:
	case REQUEST_COPY:
		return move_names(request);
	default:
		return announce_carry_out(request);
	}
}

const struct turn_work turn_work = { .carry_out = carry_out, .recover = table_recover };

static int name_later(struct request *r, const char *name)
{
	if (!is_valid(name, r->length))
		return -EINVAL;
	if (name)
		memcpy(r->name, name, r->length);
	return turn_defer(r);
}

static int name_in_table(struct request *r, const char *name)
{
	int err;

	if (!turn_take())
		return name_later(r, name);
	err = set_name(r, name, false);
	turn_leave();
	return err;
}

/* ---- the calls ------------------------------------------------------------------------------ */

int memoir_name(void *addr, size_t len, const char *name)
{
	struct request r;
	uint32_t where = places();
	int err;

	if (where == (PLACE_KERNEL | PLACES_KNOWN))
		return system_kernel_name((uintptr_t)addr, len, name);
	err = take_arguments(addr, len, name, &r);
	if (err)
		return err;
	/* The table looks at the characters only of names that it does not have yet. */
	if ((r.start >= r.end || !(where & PLACE_TABLE)) && !is_valid(name, r.length))
		return -EINVAL;
	if (r.start >= r.end)
		return 0;
	if (where & PLACE_TABLE)
		err = name_in_table(&r, name);
	if (!err && where & PLACE_KERNEL)
		system_kernel_name(r.start, len, name);
	return err;
}

int memoir_map(size_t len, const char *name, void **ret_addr)
{
	void *addr = NULL;
	int err = system_map_named(len, &addr);

	if (!err && name) {
		err = memoir_name(addr, len, name);
		if (err)
			system_unmap(addr, len);
	}
	if (!err)
		*ret_addr = addr;
	return err;
}

/* Names first: as soon as the memory is gone another thread may get it, and name it. */
int memoir_unmap(void *addr, size_t len)
{
	uint64_t mask = system_page_bytes() - 1, end;
	struct request r;

	if (((uintptr_t)addr | len) & mask || !len ||
	    __builtin_add_overflow((uintptr_t)addr, len, &end))
		return -EINVAL;
	if (places() & PLACE_TABLE && take_arguments(addr, len, NULL, &r) == 0 && r.start < r.end)
		name_in_table(&r, NULL);
	return system_unmap(addr, len);
}

/* In one turn: who gets the old addresses next names them after this. */
int memoir_remap_flags(void *addr, size_t old_len, size_t new_len, int flags, void *new_addr,
		       void **ret_addr)
{
	bool in_table = places() & PLACE_TABLE, mine = in_table && turn_take();
	void *moved = addr;
	int err = system_remap(addr, old_len, new_len, flags, new_addr, &moved);
	struct request r = {
		.what = flags & MREMAP_DONTUNMAP ? REQUEST_COPY : REQUEST_MOVE,
		.start = (uintptr_t)addr,
		.end = (uintptr_t)addr + old_len,
		.to = (uintptr_t)moved,
		.to_bytes = new_len,
	};

	if (!err && mine)
		move_names(&r);
	else if (!err && in_table)
		turn_defer(&r);
	if (mine)
		turn_leave();
	if (!err)
		*ret_addr = moved;
	return err;
}

int memoir_remap(void *addr, size_t old_len, size_t new_len, void **ret_addr)
{
	if (!old_len)
		return -EINVAL;
	return memoir_remap_flags(addr, old_len, new_len, MREMAP_MAYMOVE, NULL, ret_addr);
}

unsigned int memoir_name_places(void)
{
	return places() & ~(uint32_t)PLACES_KNOWN;
}

uint64_t memoir_name_hash(const char *name)
{
	return XXH3_64bits(name, strlen(name));
}

int memoir_name_counts(struct memoir_name_counts *ret_counts)
{
	struct memoir_name_counts counts = { .sz = sizeof(counts) };

	if (ret_counts->sz != sizeof(counts))
		return -EINVAL;
	if (!turn_take())
		return -EAGAIN;
	table_count(&counts);
	turn_leave();
	*ret_counts = counts;
	return 0;
}
