// SPDX-License-Identifier: MIT
/*
 * Lists of spans. Knows no process.
 */
#include "hints/spans.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
	const struct memoir_span *a = left, *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return (a->start > b->start) - (a->start < b->start);
}

struct memoir_span *spans_sorted(const struct memoir_span *spans, size_t count, size_t *ret_count)
{
	struct memoir_span *sorted = calloc(count + 1, sizeof(*sorted));
	size_t kept = 0;

	if (!sorted)
		return NULL;
	if (count) {
		memcpy(sorted, spans, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), compare);
	}
	for (size_t i = 0; i < count; i++) {
		struct memoir_span *last = kept ? &sorted[kept - 1] : NULL;

		if (last && last->pid == sorted[i].pid && sorted[i].start <= last->end)
			last->end = sorted[i].end > last->end ? sorted[i].end : last->end;
		else
			sorted[kept++] = sorted[i];
	}
	*ret_count = kept;
	return sorted;
}

size_t spans_behind(const struct memoir_span *sorted, size_t count, pid_t pid, uint64_t addr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sorted[middle].pid < pid ||
		    (sorted[middle].pid == pid && sorted[middle].end <= addr))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
