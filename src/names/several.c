// SPDX-License-Identifier: MIT
/*
 * Puts tables aside and takes them up again, to write to the one that is meant.
 */
#include "names/several.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Of a table whose size is limited. */
#define RESERVED_BLOCKS 256u

static struct table_aside *taken;

void several_take(struct table_aside *table)
{
	if (taken == table)
		return;
	if (taken)
		*taken = (struct table_aside){ space, tree, directories, strings };
	space = table->space;
	tree = table->tree;
	directories = table->directories;
	strings = table->strings;
	taken = table;
}

void several_drop(struct table_aside *table)
{
	several_take(table);
	strings_drop_index();
	if (space.header)
		space_close();
	taken = NULL;
	*table = (struct table_aside){ .space.segments_max = table->space.segments_max };
}

uint64_t several_ranges(const struct table_aside *table)
{
	return taken == table ? tree.ranges : table->tree.ranges;
}

uint64_t several_bytes(const struct table_aside *table)
{
	const struct name_header *header = taken == table ? space.header : table->space.header;

	return header ? header->used_bytes : 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

static uint32_t number_of(const char *name)
{
	size_t length = strlen(name);
	struct text text = { name, length, XXH3_64bits(name, length) };
	uint32_t number = strings_find(&text);

	return number ? number : strings_add(&text);
}

/* Taking names away must not fail for want of the little memory that it takes too. */
static bool is_full(void)
{
	return space.segments_max && space.base[space.segments_max - 1] &&
	       space.room - space.blocks + space.free_count < RESERVED_BLOCKS;
}

int several_set(struct table_aside *table, const struct name_subject *about, uint64_t start,
		uint64_t end, const char *name)
{
	uint32_t number = 0;

	several_take(table);
	if (!name && !space.header)
		return 0;
	if (table_open(about) < 0)
		return -ENOMEM;
	if (name) {
		number = is_full() ? 0 : number_of(name);
		if (!number)
			return -ENOMEM;
	}
	return table_set(start, end, number);
}

int several_move(struct table_aside *table, uint64_t start, uint64_t end, uint64_t to,
		 uint64_t to_bytes)
{
	several_take(table);
	return space.header ? table_move(start, end, to, to_bytes, false) : 0;
}

size_t several_some(struct table_aside *table, uint64_t *at, struct taken_range *ranges,
		    size_t room)
{
	struct span span;
	size_t count = 0;

	several_take(table);
	while (space.header && count < room && table_next(*at, UINT64_MAX, &span)) {
		const struct name_string *string = strings_at(span.name);

		ranges[count] = (struct taken_range){ .start = span.start, .end = span.end };
		memcpy(ranges[count++].name, string->text, string->length);
		*at = span.end;
	}
	return count;
}

#define SOME 64

int several_copy(struct table_aside *to, const struct name_subject *about, struct table_aside *from)
{
	struct taken_range ranges[SOME];
	uint64_t at = 0;
	size_t count;
	int err = 0;

	while (!err && (count = several_some(from, &at, ranges, SOME)))
		for (size_t i = 0; i < count && !err; i++)
			err = several_set(to, about, ranges[i].start, ranges[i].end,
					  ranges[i].name);
	return err;
}
