/* SPDX-License-Identifier: MIT */
/*
 * Lists of spans: sorted, without overlaps, and searched.
 */
#ifndef MEMOIR_HINTS_SPANS_H
#define MEMOIR_HINTS_SPANS_H

#include <memoir/hint.h>

/*
 * A copy by pid and address, in which those that overlap or meet are one; to be freed by free(). Not NULL for
 * none. NULL: no memory.
 */
struct memoir_span *spans_sorted(const struct memoir_span *spans, size_t count, size_t *ret_count);

/* The index of the first of them that ends behind an address of a process, or is of a later one. */
size_t spans_behind(const struct memoir_span *sorted, size_t count, pid_t pid, uint64_t addr);

#endif
