/* SPDX-License-Identifier: MIT */
/*
 * Rows of a comparison: their columns, the same whatever the rows are about.
 */
#ifndef MEMOIR_CLI_DIFF_ROWS_H
#define MEMOIR_CLI_DIFF_ROWS_H

#include <memoir/diff.h>

#include "present/sheet.h"

/* Rows are struct memoir_diff_row; the models differ in the columns of a table without -o. */
extern const struct table_model diff_models[MEMOIR_DIFF_WAYS];

#endif
