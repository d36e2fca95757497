// SPDX-License-Identifier: MIT
/*
 * What was read of a name table, on its own: without the memory that it was read into.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names/reader.h"

int names_table_keep(struct names_table *table)
{
	size_t count = table->count + table->announced_count, bytes = 0;
	char *text;

	for (size_t i = 0; i < table->name_count; i++)
		bytes += strlen(table->names[i]) + 1;
	text = table->text = malloc(bytes + 1);
	if (!text)
		return -ENOMEM;
	table->text_bytes = bytes + 1;
	for (size_t i = 0; i < table->name_count; i++) {
		const char *name = table->names[i];

		table->names[i] = text;
		text = stpcpy(text, name) + 1;
	}
	for (size_t i = 0; i < count; i++)
		table->ranges[i].name = table->names[table->ranges[i].number];
	return 0;
}

static void *copy_of(const void *from, size_t count, size_t bytes)
{
	void *copy = malloc(count * bytes + 1);

	return copy && count ? memcpy(copy, from, count * bytes) : copy;
}

int names_table_copy(const struct names_table *table, struct names_table *ret_copy)
{
	size_t count = table->count + table->announced_count;
	struct names_table copy = *table;
	int err = -ENOMEM;

	copy.text = NULL;
	copy.ranges = copy_of(table->ranges, count, sizeof(*copy.ranges));
	copy.names = copy_of((const void *)table->names, table->name_count, sizeof(*copy.names));
	if (copy.ranges && copy.names)
		err = names_table_keep(&copy);
	if (err) {
		names_table_free(&copy);
		return err;
	}
	copy.announced = copy.announced_count ? copy.ranges + copy.count : NULL;
	*ret_copy = copy;
	return 0;
}

void names_table_free(struct names_table *table)
{
	free(table->ranges);
	free((void *)table->names);
	free(table->text);
	*table = (struct names_table){ 0 };
}
