// SPDX-License-Identifier: MIT
/*
 * What a what-if comes to, by process, name, object and sharing set; decides nothing about memory.
 */
#include "analysis/whatif.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sets.h"
#include "base/grow.h"

static const char *const by_names[MEMOIR_WHATIF_BYS] = {
	[MEMOIR_WHATIF_BY_PROCESS] = "process",
	[MEMOIR_WHATIF_BY_NAME] = "name",
	[MEMOIR_WHATIF_BY_OBJECT] = "object",
	[MEMOIR_WHATIF_BY_SET] = "set",
};

const char *memoir_whatif_by_name(enum memoir_whatif_by by)
{
	return (unsigned int)by < MEMOIR_WHATIF_BYS ? by_names[by] : NULL;
}

int whatif_make_rows(struct whatif_run *run)
{
	run->by_process = calloc(run->s->process_count + 1, sizeof(*run->by_process));
	run->by_label = calloc(run->labels.count + 1, sizeof(*run->by_label));
	run->by_object = calloc(run->s->object_count + 2, sizeof(*run->by_object));
	return run->by_process && run->by_label && run->by_object ? 0 : -ENOMEM;
}

/* ---- adding up ------------------------------------------------------------------------------ */

static void add(struct memoir_whatif_bytes *sum, const struct memoir_whatif_bytes *bytes)
{
	add_bytes(&sum->freed_bytes, bytes->freed_bytes);
	add_bytes(&sum->freed_swap_bytes, bytes->freed_swap_bytes);
	add_bytes(&sum->freed_kernel_bytes, bytes->freed_kernel_bytes);
	add_bytes(&sum->freed_hugetlb_bytes, bytes->freed_hugetlb_bytes);
	add_bytes(&sum->reclaimable_bytes, bytes->reclaimable_bytes);
	add_bytes(&sum->kept_bytes, bytes->kept_bytes);
	add_bytes(&sum->kept_swap_bytes, bytes->kept_swap_bytes);
	add_bytes(&sum->unknown_bytes, bytes->unknown_bytes);
}

void whatif_add(struct whatif_run *run, const struct whose *whose,
		const struct memoir_whatif_bytes *bytes)
{
	size_t process = whose->process == WHOSE_SEVERAL ? run->s->process_count : whose->process;
	size_t label = whose->label == WHOSE_SEVERAL ? run->labels.count : whose->label;

	add(&run->out->bytes, bytes);
	if (whose->process != WHOSE_NOBODY)
		add(&run->by_process[process], bytes);
	if (whose->label != WHOSE_NOBODY)
		add(&run->by_label[label], bytes);
	if (whose->object != WHOSE_NOBODY)
		add(&run->by_object[whatif_object_slot(run, whose->object)], bytes);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static struct memoir_whatif_row *add_row(struct whatif_run *run, enum memoir_whatif_by by,
					 const struct memoir_whatif_bytes *bytes)
{
	struct memoir_whatif *out = run->out;
	struct memoir_whatif_row *rows =
		grow(out->rows, &run->row_room, out->row_count + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	out->rows = rows;
	rows[out->row_count] = (struct memoir_whatif_row){ .by = by, .bytes = *bytes };
	return &rows[out->row_count++];
}

static void note_keeper(struct memoir_whatif_row *row, pid_t pid)
{
	for (uint32_t i = 0; i < row->kept_by_count; i++)
		if (row->kept_by[i] == pid)
			return;
	if (row->kept_by_count < MEMOIR_WHATIF_KEEPERS)
		row->kept_by[row->kept_by_count++] = pid;
	else
		row->kept_by_more = true;
}

int whatif_add_set_row(struct whatif_run *run, uint32_t set,
		       const struct memoir_whatif_bytes *bytes)
{
	const struct memoir_set *sets = run->s->sets;
	struct memoir_whatif_row *row = add_row(run, MEMOIR_WHATIF_BY_SET, bytes);

	if (!row)
		return -ENOMEM;
	row->set = set;
	row->members = sets[set].members;
	row->others = run->sets[set].others;
	if (!bytes->kept_bytes && !bytes->kept_swap_bytes)
		return 0;
	for (uint32_t at = set; at != MEMOIR_NONE && !row->kept_by_more; at = sets[at].parent)
		if (whatif_keeps(run, set_process(run->s, at)))
			note_keeper(row, whatif_keeper_pid(run, set_process(run->s, at)));
	return 0;
}

static bool is_nothing(const struct memoir_whatif_bytes *bytes)
{
	static const struct memoir_whatif_bytes nothing;

	return memcmp(bytes, &nothing, sizeof(nothing)) == 0;
}

/* All processes that are meant, also those that give nothing back. */
static int add_process_rows(struct whatif_run *run)
{
	for (size_t i = 0; i <= run->s->process_count; i++) {
		bool several = i == run->s->process_count;

		if (several ? is_nothing(&run->by_process[i]) : run->processes[i] == MEANT_NOT)
			continue;
		struct memoir_whatif_row *row =
			add_row(run, MEMOIR_WHATIF_BY_PROCESS, &run->by_process[i]);

		if (!row)
			return -ENOMEM;
		row->several = several;
		row->process = several ? NULL : &run->s->processes[i];
	}
	return 0;
}

static int add_label_rows(struct whatif_run *run)
{
	for (size_t i = 0; i <= run->labels.count; i++) {
		if (is_nothing(&run->by_label[i]))
			continue;
		struct memoir_whatif_row *row =
			add_row(run, MEMOIR_WHATIF_BY_NAME, &run->by_label[i]);

		if (!row)
			return -ENOMEM;
		row->several = i == run->labels.count;
		if (row->several)
			continue;
		row->name = run->labels.entries[i].label.name;
		row->kind = run->labels.entries[i].label.kind;
		row->source = run->labels.entries[i].label.source;
	}
	return 0;
}

static int add_object_rows(struct whatif_run *run)
{
	size_t count = run->s->object_count;

	for (size_t i = 0; i < count + 2; i++) {
		const struct whatif_object *object = &run->objects[i];

		if (is_nothing(&run->by_object[i]))
			continue;
		struct memoir_whatif_row *row =
			add_row(run, MEMOIR_WHATIF_BY_OBJECT, &run->by_object[i]);

		if (!row)
			return -ENOMEM;
		row->several = i == count + 1;
		row->object = i < count ? &run->s->objects[i] : NULL;
		row->kept_by_count = object->kept_by_count;
		row->kept_by_more = object->kept_by_more;
		memcpy(row->kept_by, object->kept_by, sizeof(row->kept_by));
	}
	return 0;
}

/* ---- order ---------------------------------------------------------------------------------- */

static int descending(uint64_t a, uint64_t b)
{
	return a == b ? 0 : a > b ? -1 : 1;
}

static int ascending(uint64_t a, uint64_t b)
{
	return -descending(a, b);
}

/* What tells rows apart that give the same back, so that the order is always the same. */
static int compare_what(const struct memoir_whatif_row *a, const struct memoir_whatif_row *b)
{
	int order = 0;

	if (a->several != b->several)
		return a->several ? 1 : -1;
	if (a->process && b->process)
		order = ascending((uint64_t)a->process->pid, (uint64_t)b->process->pid);
	else if (a->name && b->name)
		order = strcmp(a->name, b->name);
	else if (a->object != b->object)
		order = ascending((uintptr_t)a->object, (uintptr_t)b->object);
	if (order == 0)
		order = (int)a->kind - (int)b->kind;
	return order ? order : ascending(a->set, b->set);
}

static int compare_rows(const void *left, const void *right)
{
	const struct memoir_whatif_row *a = left, *b = right;
	int order = (int)a->by - (int)b->by;

	if (order == 0)
		order = descending(a->bytes.freed_bytes, b->bytes.freed_bytes);
	if (order == 0)
		order = descending(a->bytes.freed_swap_bytes, b->bytes.freed_swap_bytes);
	if (order == 0)
		order = descending(a->bytes.reclaimable_bytes, b->bytes.reclaimable_bytes);
	if (order == 0)
		order = descending(a->bytes.kept_bytes, b->bytes.kept_bytes);
	return order ? order : compare_what(a, b);
}

int whatif_finish_rows(struct whatif_run *run)
{
	int err = add_process_rows(run);

	if (!err)
		err = add_label_rows(run);
	if (!err)
		err = add_object_rows(run);
	if (!err && run->out->row_count)
		qsort(run->out->rows, run->out->row_count, sizeof(*run->out->rows), compare_rows);
	return err;
}
