/* SPDX-License-Identifier: MIT */
/*
 * What a what-if comes to, as rows of tables.
 */
#ifndef MEMOIR_CLI_WHATIF_ROWS_H
#define MEMOIR_CLI_WHATIF_ROWS_H

#include <memoir/analysis.h>

#include "present/column.h"

/* What the getters need besides the row. */
struct whatif_context {
	const struct memoir_snapshot *snapshot;
	const struct memoir_whatif *whatif;
};

/* Rows are struct memoir_whatif_row; ctx is a struct whatif_context. */
extern const struct table_model whatif_model;

/* Rows are struct memoir_keeper; ctx as above. */
extern const struct table_model keeper_model;

#endif
