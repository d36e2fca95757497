/* SPDX-License-Identifier: MIT */
/*
 * Idle memory as rows, for memoir idle.
 */
#ifndef MEMOIR_CLI_IDLE_ROWS_H
#define MEMOIR_CLI_IDLE_ROWS_H

#include <memoir/idle.h>

#include "present/column.h"

/* Rows are struct memoir_idle_row. */
extern const struct table_model idle_model;

/* The columns of a table, where the rows are not by region: NULL there. */
const char *idle_columns(enum memoir_idle_by by);

#endif
