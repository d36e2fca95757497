/* SPDX-License-Identifier: MIT */
/*
 * Who shares how much with whom, as rows of tables.
 */
#ifndef MEMOIR_CLI_SHARING_ROWS_H
#define MEMOIR_CLI_SHARING_ROWS_H

#include <memoir/analysis.h>

#include "present/column.h"

/* Rows are struct memoir_sharing_pair. */
extern const struct table_model pair_model;

/* Rows are struct memoir_fork. */
extern const struct table_model fork_model;

#endif
