// SPDX-License-Identifier: MIT
/*
 * Which row a region belongs to; sums nothing.
 */
#include "analysis/subject.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

const char *memoir_by_name(enum memoir_by by)
{
	static const char *const names[MEMOIR_BYS] = {
		[MEMOIR_BY_REGION] = "region",
		[MEMOIR_BY_NAME] = "name",
		[MEMOIR_BY_PROCESS] = "process",
	};

	return (unsigned int)by < MEMOIR_BYS ? names[by] : NULL;
}

static size_t find_row(struct subjects *subjects, const struct memoir_region *region)
{
	size_t count = subjects->count;

	if (subjects->by == MEMOIR_BY_NAME) {
		struct label label = label_of(subjects->snapshot, region);
		uint32_t at = labels_index(&subjects->labels, &label);

		return at == U64MAP_NONE ? SIZE_MAX : at;
	}
	if (subjects->by == MEMOIR_BY_PROCESS && count &&
	    subjects->last[count - 1] == region->process)
		return count - 1;
	return count;
}

static void take(struct subjects *subjects, size_t row, const struct memoir_region *region,
		 struct memoir_subject *subject)
{
	struct label label = label_of(subjects->snapshot, region);

	if (subjects->by != MEMOIR_BY_NAME)
		subject->process = memoir_snapshot_process(subjects->snapshot, region->process);
	if (subjects->by == MEMOIR_BY_REGION)
		subject->region = region;
	if (subjects->by != MEMOIR_BY_PROCESS) {
		subject->name = label.name;
		subject->kind = label.kind;
		subject->source = label.source;
	}
	subject->regions++;
	subject->processes += subjects->last[row] != region->process;
	subjects->last[row] = region->process;
}

void *subjects_take(struct subjects *subjects, void *rows, size_t row_bytes,
		    const struct memoir_region *region, size_t *ret_row)
{
	size_t row = find_row(subjects, region);

	if (row == SIZE_MAX)
		return NULL;
	if (row == subjects->count) {
		uint32_t *last = grow(subjects->last, &subjects->room, row + 1, sizeof(*last));
		void *more = last ? grow(rows, &subjects->row_room, row + 1, row_bytes) : NULL;

		subjects->last = last ? last : subjects->last;
		if (!more)
			return NULL;
		rows = more;
		last[row] = MEMOIR_NONE;
		memset((char *)rows + row * row_bytes, 0, row_bytes);
		subjects->count++;
	}
	take(subjects, row, region, (struct memoir_subject *)((char *)rows + row * row_bytes));
	*ret_row = row;
	return rows;
}

void subjects_free(struct subjects *subjects)
{
	labels_free(&subjects->labels);
	free(subjects->last);
}

int subjects_compare(const struct memoir_subject *a, const struct memoir_subject *b)
{
	if (a->name && b->name && strcmp(a->name, b->name) != 0)
		return strcmp(a->name, b->name);
	if (a->process && b->process && a->process->pid != b->process->pid)
		return a->process->pid < b->process->pid ? -1 : 1;
	if (a->region && b->region && a->region->start != b->region->start)
		return a->region->start < b->region->start ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}
