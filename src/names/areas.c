// SPDX-License-Identifier: MIT
/*
 * Asks for mappings, or reads them; names nothing itself.
 */
#include "names/areas.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/grow.h"
#include "kernel/maps.h"
#include "kernel/process.h"
#include "kernel/procmap.h"

/* 0: all of it is private anonymous memory; -ESRCH; or it takes a look at the text. */
static int ask(int maps_fd, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct procmap_vma vma;
		int err = procmap_query(maps_fd, start, &vma);

		if (err)
			return err;
		if (vma.inode || vma.perms[3] != 'p' || vma.end <= start)
			return -EBADF;
		start = vma.end;
	}
	return 0;
}

/* Inode 0 is also that of the first System V segment. */
static bool has_file(const struct maps_line *line)
{
	return (line->inode || line->path[0] == '/') &&
	       !(line->perms[3] == 's' && strcmp(line->path, "/dev/zero (deleted)") == 0);
}

/* 1: a line; 0: the end; or a negative errno. */
static int next_line(char **text, struct maps_line *ret_line)
{
	int got;

	do {
		got = maps_next(text, ret_line);
	} while (got > 0 && maps_is_gate(ret_line));
	return got;
}

static int each_by_text(char *text, uint64_t start, uint64_t end,
			int (*each)(uint64_t start, uint64_t end, void *arg), void *arg)
{
	struct maps_line line;
	bool hole = false;
	int got = 0, err = 0;

	while (start < end && !err && (got = next_line(&text, &line)) > 0) {
		uint64_t stop = line.end < end ? line.end : end;

		if (line.end <= start)
			continue;
		if (line.start >= end)
			break;
		hole |= line.start > start;
		if (has_file(&line))
			return -EBADF;
		err = each(line.start > start ? line.start : start, stop, arg);
		start = stop;
	}
	if (err || got < 0)
		return err ? err : got;
	return hole || start < end ? -ENOMEM : 0;
}

static int read_text(const struct areas *areas)
{
	ssize_t len = process_text(areas->root, areas->tid, areas->tid, PROCESS_MAPS, areas->text);

	return len < 0 ? (int)len : len == 0 ? -ESRCH : 0;
}

int areas_each(const struct areas *areas, uint64_t start, uint64_t end,
	       int (*each)(uint64_t start, uint64_t end, void *arg), void *arg)
{
	int err = ask(areas->maps_fd, start, end);

	if (err == 0)
		return each(start, end, arg);
	if (err == -ESRCH)
		return err;
	err = read_text(areas);
	return err ? err : each_by_text(areas->text->data, start, end, each, arg);
}

static int add_area(struct area_list *list, const struct maps_line *line)
{
	struct area *last = list->count ? &list->items[list->count - 1] : NULL, *items;

	if (last && last->end == line->start) {
		last->end = line->end;
		return 0;
	}
	items = grow(list->items, &list->room, list->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count++] = (struct area){ line->start, line->end };
	return 0;
}

int areas_list(const struct areas *areas, struct area_list *ret_list)
{
	struct maps_line line;
	int err = read_text(areas);
	char *text = err ? NULL : areas->text->data;

	ret_list->count = 0;
	while (!err && next_line(&text, &line) > 0)
		if (!line.inode && line.path[0] != '/' && line.perms[3] == 'p')
			err = add_area(ret_list, &line);
	return err;
}
