// SPDX-License-Identifier: MIT
/*
 * Puts rows below others in the order of a tree, without recursion; knows no columns.
 */
#include "present/nest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct nested {
	const void *row;
	size_t index;  /* in the order that was given */
	size_t first;  /* of those below it, + 1; 0: none */
	size_t next;   /* the one behind it below the same row, + 1 */
	size_t parent; /* + 1 */
};

static int compare_rows(const void *left, const void *right)
{
	const struct nested *const *a = left, *const *b = right;

	return ((*a)->row > (*b)->row) - ((*a)->row < (*b)->row);
}

static struct nested *find(struct nested *const *by_row, size_t count, const void *row)
{
	struct nested key = { .row = row }, *at = &key;
	struct nested *const *found =
		row ? bsearch(&at, by_row, count, sizeof(*by_row), compare_rows) : NULL;

	return found ? *found : NULL;
}

/* From the last to the first, so that each list begins with its first. Returns the first of all. */
static size_t link_up(struct nested *all, struct nested *const *by_row, size_t count,
		      const void *(*parent)(const void *row))
{
	size_t first = 0;

	for (size_t i = count; i-- > 0;) {
		struct nested *above = find(by_row, count, parent(all[i].row));
		size_t *list = above ? &above->first : &first;

		all[i].parent = above ? above->index + 1 : 0;
		all[i].next = *list;
		*list = i + 1;
	}
	return first;
}

static void walk(const struct nested *all, size_t first, const void **rows, size_t count)
{
	size_t at = first, put = 0;

	while (at && put < count) {
		const struct nested *row = &all[at - 1];

		rows[put++] = row->row;
		at = row->first;
		while (!at && row) {
			at = row->next;
			row = row->parent ? &all[row->parent - 1] : NULL;
		}
	}
}

int nest_rows(const void **rows, size_t count, const void *(*parent)(const void *row))
{
	struct nested *all = calloc(count + 1, sizeof(*all));
	struct nested **by_row = calloc(count + 1, sizeof(struct nested *));
	int ret = all && by_row ? 0 : -ENOMEM;

	if (!ret) {
		for (size_t i = 0; i < count; i++) {
			all[i] = (struct nested){ .row = rows[i], .index = i };
			by_row[i] = &all[i];
		}
		qsort(by_row, count, sizeof(*by_row), compare_rows);
		walk(all, link_up(all, by_row, count, parent), rows, count);
	}
	free(all);
	free((void *)by_row);
	return ret;
}
