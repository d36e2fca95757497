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

/* All but the name's characters. */
static int take_name(const char *name, struct text *text)
{
	*text = (struct text){ .bytes = name };
	if (!name)
		return 0;
	text->length = strnlen(name, MEMOIR_NAME_MAX);
	if (text->length == MEMOIR_NAME_MAX)
		return -EINVAL;
	text->hash = XXH3_64bits(name, text->length);
	return 0;
}

/* Addresses that no memory has are cut off; false: nothing is left. */
static bool cut(uint64_t start, uint64_t *end)
{
	if (*end > NAME_ANNOUNCED)
		*end = NAME_ANNOUNCED;
	return start < *end;
}

/* ---- the table ------------------------------------------------------------------------------ */

static int number_of(const struct text *text, bool checked, uint32_t *ret_number)
{
	uint32_t number = space.header ? strings_find(text) : 0;
	int err = 0;

	/* What is known was valid once. */
	if (!number && !checked && !is_valid(text->bytes, text->length))
		return -EINVAL;
	if (!space.header)
		err = table_open(NULL);
	if (!err && !number) {
		number = strings_add(text);
		err = number ? 0 : -ENOMEM;
	}
	if (!err)
		*ret_number = number;
	return err;
}

static __attribute__((noinline)) int find_number(const char *name, uint32_t *ret_number)
{
	struct text text;
	int err = take_name(name, &text);

	if (!err)
		err = number_of(&text, false, ret_number);
	if (!err)
		strings_remember(name, *ret_number);
	return err;
}

/* Most names come again from the same place of the program: then there is no need to look them up. */
static int set_name(uint64_t start, uint64_t end, const char *name)
{
	uint32_t number = name ? strings_recall(name) : 0;

	if (!number) {
		int err = name ? find_number(name, &number) : 0;

		if (err || !space.header)
			return err;
	}
	return table_set(start, end, number);
}

static int move_names(const struct request *r)
{
	bool stays = r->what == REQUEST_COPY;

	return space.header ? table_move(r->start, r->end, r->to, r->to_bytes, stays) : 0;
}

static int carry_out(const struct request *r)
{
	struct text text = { r->name, r->length, r->hash };
	uint32_t number = 0;
	int err = 0;

	switch ((enum request_what)r->what) {
	case REQUEST_NAME:
		break;
	case REQUEST_MOVE:
	case REQUEST_COPY:
		return move_names(r);
	default:
		return announce_carry_out(r);
	}
	if (!r->no_name)
		err = number_of(&text, true, &number);
	return err || !space.header ? err : table_set(r->start, r->end, number);
}

const struct turn_work turn_work = { .carry_out = carry_out, .recover = table_recover };

static __attribute__((noinline)) int name_later(uint64_t start, uint64_t end, const char *name)
{
	struct request r = { .what = REQUEST_NAME, .start = start, .end = end, .no_name = !name };
	struct text text;
	int err = take_name(name, &text);

	if (err)
		return err;
	if (!is_valid(name, text.length))
		return -EINVAL;
	r.length = (uint8_t)text.length;
	r.hash = text.hash;
	if (name)
		memcpy(r.name, name, text.length);
	return turn_defer(&r);
}

static __attribute__((hot)) int name_in_table(uint64_t start, uint64_t end, const char *name)
{
	int err;

	if (!turn_take())
		return name_later(start, end, name);
	err = set_name(start, end, name);
	turn_leave();
	return err;
}

/* ---- the calls ------------------------------------------------------------------------------ */

static int check_name(const char *name)
{
	struct text text;
	int err = take_name(name, &text);

	return !err && !is_valid(name, text.length) ? -EINVAL : err;
}

/* Wherever else names are to be, and what names nothing. */
static __attribute__((noinline)) int name_anywhere(uint64_t start, size_t len, const char *name)
{
	uint32_t where = places();
	bool is_nothing;
	uint64_t end;
	int err;

	if (where == (PLACE_KERNEL | PLACES_KNOWN))
		return system_kernel_name(start, len, name);
	if (__builtin_add_overflow(start, len, &end))
		return -EINVAL;
	is_nothing = !cut(start, &end);
	/* The table looks at the characters only of names that it does not have yet. */
	err = !is_nothing && where & PLACE_TABLE ? name_in_table(start, end, name)
						 : check_name(name);
	if (!err && !is_nothing && where & PLACE_KERNEL)
		system_kernel_name(start, len, name);
	return err;
}

__attribute__((hot)) int memoir_name(void *addr, size_t len, const char *name)
{
	uint64_t start = (uintptr_t)addr, end = start + len;

	if (__atomic_load_n(&places_chosen, __ATOMIC_RELAXED) == (PLACE_TABLE | PLACES_KNOWN) &&
	    start < end && end <= NAME_ANNOUNCED)
		return name_in_table(start, end, name);
	return name_anywhere(start, len, name);
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
	uint64_t mask = system_page_bytes() - 1, start = (uintptr_t)addr, end;

	if ((start | len) & mask || !len || __builtin_add_overflow(start, len, &end))
		return -EINVAL;
	if (places() & PLACE_TABLE && cut(start, &end))
		name_in_table(start, end, NULL);
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
