/* SPDX-License-Identifier: MIT */
/*
 * What came back from swap as rows, for memoir refaults and for those that watch what they have sent out.
 */
#ifndef MEMOIR_CLI_REFAULT_ROWS_H
#define MEMOIR_CLI_REFAULT_ROWS_H

#include <memoir/refault.h>

#include "present/column.h"

/* Rows are struct memoir_refault_row, the context is the struct memoir_refaults. */
extern const struct table_model refault_model;

/* Those in tables. */
#define REFAULT_FIGURES \
	"swapped_bytes,back_1s_bytes,back_10s_bytes,back_bytes,back_percent,out_bytes"

/*
 * Look now and then for this long, more often at first, or until interrupted; `what` is said on a terminal.
 * 0 or negative errno.
 */
int refault_watch(struct memoir_refaults *refaults, uint64_t watch_ns, const char *what,
		  struct memoir_error *error);

#endif
