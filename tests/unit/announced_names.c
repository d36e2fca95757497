// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "announced_names.h"

const struct named_range *announced_find(const struct names_table *table, uint64_t start)
{
	for (size_t i = 0; i < table->announced_count; i++)
		if (table->announced[i].start == start)
			return &table->announced[i];
	return NULL;
}

uint64_t announced_length(const struct names_table *table, uint64_t start)
{
	const struct named_range *range = announced_find(table, start);

	return range ? range->end - range->start : 0;
}

uint64_t announced_at(uint64_t start, char name[MEMOIR_NAME_MAX])
{
	struct names_table table;
	uint64_t length;

	assert_int_equal(own_names(&table), 0);
	length = announced_length(&table, start);
	if (length && name)
		snprintf(name, MEMOIR_NAME_MAX, "%s", announced_find(&table, start)->name);
	names_table_free(&table);
	return length;
}

uint64_t announced_size(uint32_t buffer)
{
	return announced_at(announced_buffer(buffer), NULL);
}

uint64_t announced_references(uint32_t buffer, pid_t pid)
{
	return announced_at(announced_reference(buffer, pid), NULL);
}

long announced_count(enum announced_sort sort)
{
	struct names_table table;
	long count = 0;

	if (own_names(&table) < 0)
		return -1;
	for (size_t i = 0; i < table.announced_count; i++)
		count += announced_sort_of(table.announced[i].start) == sort;
	names_table_free(&table);
	return count;
}

uint32_t announce_buffer(uint64_t size_bytes, const char *tag)
{
	uint32_t buffer = 0;

	assert_int_equal(memoir_buffer_init(size_bytes, tag, &buffer), 0);
	assert_int_not_equal(buffer, 0);
	return buffer;
}

uint64_t announced_file_tag(int fd, char name[MEMOIR_NAME_MAX])
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	name[0] = '\0';
	return announced_at(announced_tag(major(st.st_dev), minor(st.st_dev), st.st_ino), name);
}

int announced_wait_for(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
