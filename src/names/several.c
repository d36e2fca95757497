// SPDX-License-Identifier: MIT
/*
 * Puts tables aside and takes them up again; writes to none.
 */
#include "names/several.h"

#include <stddef.h>

#include "names/system.h"

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
	for (unsigned int k = 0; space.header && k < NAME_SEGMENTS && space.base[k]; k++)
		system_unmap((void *)(uintptr_t)space.header->segments[k], space_segment_bytes(k));
	if (space.header)
		system_unmap(space.header, system_page_bytes());
	if (strings.slots)
		system_unmap(strings.slots, strings.slot_count * sizeof(*strings.slots));
	taken = NULL;
	*table = (struct table_aside){ .space.segments_max = table->space.segments_max };
}

uint64_t several_ranges(const struct table_aside *table)
{
	return taken == table ? tree.ranges : table->tree.ranges;
}
