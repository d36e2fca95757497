// SPDX-License-Identifier: MIT
/*
 * Interns names. One that no range has stays known for a while, as it mostly comes back; then its
 * memory is used again for one of the same size.
 */
#include "names/strings.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "names/system.h"

#define UNIT STRINGS_UNIT
#define NAME_BITS 24
#define NAME_MASK ((1u << NAME_BITS) - 1)
#define SLOTS_MIN 512u
#define IDLE_MIN 64u

struct strings strings;

struct hints strings_seen;

_Static_assert(2 * SLOTS_MIN * sizeof(uint32_t) <= SPACE_BESIDE_BYTES, "two of them");

static uint32_t class_of(size_t length)
{
	return (uint32_t)((sizeof(struct name_string) + length + 1 + UNIT - 1) / UNIT);
}

static uint32_t tagged(uint32_t name, uint64_t hash)
{
	return name | (uint32_t)(hash >> 56) << NAME_BITS;
}

uint32_t strings_find(const struct text *text)
{
	uint32_t mask = strings.slot_count - 1;

	if (!strings.slot_count)
		return 0;
	for (uint32_t i = (uint32_t)text->hash & mask;; i = (i + 1) & mask) {
		uint32_t slot = strings.slots[i], name = slot & NAME_MASK;
		const struct name_string *string;

		if (!slot)
			return 0;
		if (slot != tagged(name, text->hash))
			continue;
		string = strings_at(name);
		if (string->length == text->length &&
		    memcmp(string->text, text->bytes, text->length) == 0)
			return name;
	}
}

/* ---- the index ------------------------------------------------------------------------------ */

static void put_slot(uint32_t *slots, uint32_t slot_count, uint32_t name, uint64_t hash)
{
	uint32_t mask = slot_count - 1, i = (uint32_t)hash & mask;

	while (slots[i])
		i = (i + 1) & mask;
	slots[i] = tagged(name, hash);
}

static void free_string(uint32_t name)
{
	struct name_string *string = strings_at(name);
	uint32_t class = class_of(string->length);

	string->writers_own = strings.freed[class];
	strings.freed[class] = name;
	strings.count--;
}

/* Zeroed. The smallest lies beside the space, which has room for two of them. */
static uint32_t *make_index(uint32_t slot_count)
{
	uint32_t *slots = space_beside();

	if (slot_count > SLOTS_MIN)
		return system_map(slot_count * sizeof(*slots));
	if (slots == strings.slots)
		slots += SLOTS_MIN;
	return memset(slots, 0, SLOTS_MIN * sizeof(*slots));
}

void strings_drop_index(void)
{
	if (strings.slot_count > SLOTS_MIN)
		system_unmap(strings.slots, strings.slot_count * sizeof(*strings.slots));
}

/* Into a new index of this many slots, without the idle ones if asked. */
static int index_anew(uint32_t slot_count, bool drop_idle)
{
	uint32_t *slots = make_index(slot_count);

	if (!slots)
		return -ENOMEM;
	if (drop_idle) {
		memset(&strings_seen, 0, sizeof(strings_seen));
		space_reuse(space.header->generation);
	}
	for (uint32_t i = 0; i < strings.slot_count; i++) {
		uint32_t name = strings.slots[i] & NAME_MASK;
		const struct name_string *string = name ? strings_at(name) : NULL;

		if (string && drop_idle && !string->writers_own)
			free_string(name);
		else if (string)
			put_slot(slots, slot_count, name,
				 XXH3_64bits(string->text, string->length));
	}
	strings_drop_index();
	strings.slots = slots;
	strings.slot_count = slot_count;
	if (drop_idle)
		strings.idle = 0;
	return 0;
}

static int make_room(void)
{
	if (strings.idle > IDLE_MIN && strings.idle > strings.count / 2)
		index_anew(strings.slot_count, true);
	if (strings.slot_count && strings.count < strings.slot_count - strings.slot_count / 4)
		return 0;
	return index_anew(strings.slot_count ? strings.slot_count * 2 : SLOTS_MIN, false);
}

/* ---- names ---------------------------------------------------------------------------------- */

static uint32_t room_for(uint32_t class)
{
	uint32_t name = strings.freed[class];

	if (name) {
		strings.freed[class] = strings_at(name)->writers_own;
		return name;
	}
	if (strings.next + class * UNIT > strings.end) {
		uint32_t block = space_alloc();

		if (!block)
			return 0;
		strings.next = (uint64_t)block * NAME_BLOCK_BYTES;
		/* is_same_text() reads beyond the end of a name. */
		strings.end = strings.next + NAME_BLOCK_BYTES - UNIT;
	}
	name = (uint32_t)(strings.next / UNIT);
	strings.next += class * UNIT;
	return name;
}

uint32_t strings_add(const struct text *text)
{
	uint32_t name = make_room() == 0 ? room_for(class_of(text->length)) : 0;
	struct name_string *string;

	if (!name)
		return 0;
	string = strings_at(name);
	*string = (struct name_string){ .length = (uint8_t)text->length };
	memcpy(string->text, text->bytes, text->length);
	string->text[text->length] = '\0';
	put_slot(strings.slots, strings.slot_count, name, text->hash);
	strings.count++;
	strings.idle++;
	return name;
}

/* ---- after a fork --------------------------------------------------------------------------- */

void strings_forget(void)
{
	/* The index may be half made, and even unmapped: it is left behind. */
	memset(&strings, 0, sizeof(strings));
	memset(&strings_seen, 0, sizeof(strings_seen));
}

int strings_keep(uint32_t name)
{
	struct name_string *string = strings_at(name);
	struct text text = { string->text, string->length,
			     XXH3_64bits(string->text, string->length) };

	if (!strings_find(&text)) {
		if (make_room() < 0)
			return -ENOMEM;
		string->writers_own = 0;
		put_slot(strings.slots, strings.slot_count, name, text.hash);
		strings.count++;
		strings.idle++;
	}
	strings_ref(name);
	return 0;
}

void strings_count(uint64_t *ret_names, uint64_t *ret_bytes, uint64_t *ret_own_bytes)
{
	*ret_names = strings.count - strings.idle;
	*ret_bytes = strings.live_bytes;
	*ret_own_bytes = strings.slot_count * sizeof(*strings.slots);
}
