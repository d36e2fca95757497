// SPDX-License-Identifier: MIT
/*
 * Finds this process's name table by its anchor, and reads it by the reader of captures.
 */
#include "own_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/memory.h"

uint64_t own_anchor(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	uint64_t anchor = 0;

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "/memfd:memoir-names"))
			anchor = strtoull(line, NULL, 16);
	if (maps)
		fclose(maps);
	return anchor;
}

static int read_own(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	return memory_read(*(int *)arg, addr, buffer, bytes);
}

int own_names(struct names_table *ret_table)
{
	struct kroot *root = NULL;
	uint64_t anchor = own_anchor();
	int err, fd;

	*ret_table = (struct names_table){ 0 };
	if (!anchor)
		return 0;
	err = kroot_open(NULL, &root);
	if (err)
		return err;
	fd = memory_open(root, getpid());
	kroot_close(root);
	if (fd < 0)
		return fd;
	err = names_read(&(struct names_source){ .read = read_own, .arg = &fd }, anchor, ret_table);
	close(fd);
	return err;
}

const char *own_name_at(const void *addr)
{
	static char name[MEMOIR_NAME_MAX];
	struct names_table table;

	if (own_names(&table) < 0)
		return "unreadable";
	name[0] = '\0';
	for (size_t i = 0; i < table.count; i++)
		if (table.ranges[i].start <= (uintptr_t)addr &&
		    table.ranges[i].end > (uintptr_t)addr)
			snprintf(name, sizeof(name), "%s", table.ranges[i].name);
	names_table_free(&table);
	return name;
}

void own_names_by_table(void)
{
	setenv("MEMOIR_NAMES", "table", 1);
}
