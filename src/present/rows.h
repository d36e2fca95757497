/* SPDX-License-Identifier: MIT */
/*
 * The rows of a sheet by parts: each at once where there are very many rows, and written in their order.
 */
#ifndef MEMOIR_PRESENT_ROWS_H
#define MEMOIR_PRESENT_ROWS_H

#include "present/out.h"
#include "present/sheet.h"

/*
 * Call part(from, to) for rows [from, to) until all have had their turn, on all CPUs where that pays and
 * the sheet allows it: then in any order, several at once.
 */
void rows_split(const struct sheet *sheet, void (*part)(size_t from, size_t to, void *arg),
		void *arg);

/*
 * Have the rows [from, to) rendered into an `out` that keeps them, part by part as above, and write what
 * that makes in the order of the rows. Failures are in out->error; then rows are left out.
 */
void rows_write(struct out *out, const struct sheet *sheet,
		void (*render)(struct out *out, size_t from, size_t to, void *arg), void *arg);

#endif
