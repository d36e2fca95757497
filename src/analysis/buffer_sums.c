// SPDX-License-Identifier: MIT
/*
 * Shared buffers summed by what they are called, and by process; asks no kernel and prints nothing.
 */
#include <memoir/buffers.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- by tag --------------------------------------------------------------------------------- */

static int compare_text(const char *a, const char *b)
{
	if (!a || !b)
		return !b - !a;
	return strcmp(a, b);
}

static int compare_rows(const void *left, const void *right)
{
	const struct memoir_buffer *a = *(const void *const *)left,
				   *b = *(const void *const *)right;
	int order = strcmp(a->kind, b->kind);

	return order ? order : compare_text(a->tag, b->tag);
}

static int compare_pointers(const void *left, const void *right)
{
	uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;

	return (a > b) - (a < b);
}

static uint32_t distinct(const struct memoir_process **processes, size_t count)
{
	uint32_t found = 0;

	if (count)
		qsort(processes, count, sizeof(*processes), compare_pointers);
	for (size_t i = 0; i < count; i++)
		found += i == 0 || processes[i] != processes[i - 1];
	return found;
}

static void add(struct memoir_tag_sum *sum, const struct memoir_buffer *row)
{
	sum->buffers++;
	if (row->object) {
		sum->size_bytes += row->object->size_bytes;
		sum->swap_bytes += row->object->swapped_bytes;
	}
	sum->resident_known |= row->resident_known;
	sum->resident_bytes += row->resident_bytes;
	sum->own_bytes += row->own_bytes;
	for (uint32_t i = 0; i < row->holder_count; i++)
		sum->extra_bytes += row->holders[i].extra_bytes;
}

/* Rows of one tag stand together from `at` on; returns where they end. */
static size_t sum_up(const struct memoir_buffer **rows, size_t count, size_t at,
		     const struct memoir_process **processes, struct memoir_tag_sum *sum)
{
	size_t first = at, holders = 0;

	*sum = (struct memoir_tag_sum){ .tag = rows[at]->tag, .kind = rows[at]->kind };
	for (; at < count && compare_rows(&rows[first], &rows[at]) == 0; at++) {
		add(sum, rows[at]);
		for (uint32_t i = 0; i < rows[at]->holder_count; i++)
			processes[holders++] = rows[at]->holders[i].process;
	}
	sum->processes = distinct(processes, holders);
	return at;
}

static int by_bytes(const void *left, const void *right)
{
	const struct memoir_tag_sum *a = left, *b = right;

	if (a->own_bytes != b->own_bytes)
		return a->own_bytes > b->own_bytes ? -1 : 1;
	if (a->size_bytes != b->size_bytes)
		return a->size_bytes > b->size_bytes ? -1 : 1;
	int order = strcmp(a->kind, b->kind);

	return order ? order : compare_text(a->tag, b->tag);
}

int memoir_buffers_by_tag(const struct memoir_buffers *buffers, struct memoir_tag_sums *ret_sums)
{
	size_t holders = 0, count = 0;

	for (size_t i = 0; i < buffers->count; i++)
		holders += buffers->rows[i].holder_count;
	const struct memoir_buffer **rows = calloc(buffers->count + 1, sizeof(*rows));
	const struct memoir_process **processes = calloc(holders + 1, sizeof(*processes));
	struct memoir_tag_sum *sums = calloc(buffers->count + 1, sizeof(*sums));
	bool room = rows && processes && sums;

	for (size_t i = 0; i < buffers->count && room; i++)
		rows[i] = &buffers->rows[i];
	if (room && buffers->count)
		qsort(rows, buffers->count, sizeof(*rows), compare_rows);
	for (size_t at = 0; at < buffers->count && room;)
		at = sum_up(rows, buffers->count, at, processes, &sums[count++]);
	free(rows);
	free(processes);
	if (!room) {
		free(sums);
		return -ENOMEM;
	}
	if (count)
		qsort(sums, count, sizeof(*sums), by_bytes);
	*ret_sums = (struct memoir_tag_sums){ count, sums };
	return 0;
}

void memoir_tag_sums_free(struct memoir_tag_sums *sums)
{
	if (!sums)
		return;
	free(sums->rows);
	*sums = (struct memoir_tag_sums){ 0 };
}

/* ---- by process ----------------------------------------------------------------------------- */

static void add_to_process(struct memoir_process_buffers *sum,
			   const struct memoir_buffer_holder *holder)
{
	sum->buffers++;
	sum->references += memoir_buffer_references(holder);
	sum->share_bytes += holder->share_bytes;
	sum->mapped_share_bytes += holder->mapped_share_bytes;
	sum->extra_bytes += holder->extra_bytes;
	sum->unique_bytes += holder->unique_bytes;
}

int memoir_process_buffers(const struct memoir_snapshot *snapshot,
			   struct memoir_process_buffers **ret_sums)
{
	size_t count = memoir_snapshot_process_count(snapshot);
	struct memoir_process_buffers *sums = calloc(count + 1, sizeof(*sums));
	const struct memoir_process *first = memoir_snapshot_process(snapshot, 0);
	struct memoir_buffers buffers = { 0 };
	int err = sums ? memoir_buffers(snapshot, NULL, &buffers) : -ENOMEM;

	if (err) {
		free(sums);
		return err;
	}
	for (size_t i = 0; i < buffers.count; i++)
		for (uint32_t k = 0; k < buffers.rows[i].holder_count && buffers.rows[i].object;
		     k++)
			add_to_process(&sums[buffers.rows[i].holders[k].process - first],
				       &buffers.rows[i].holders[k]);
	memoir_buffers_free(&buffers);
	*ret_sums = sums;
	return 0;
}
