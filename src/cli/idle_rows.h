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

/* Those in tables. */
#define IDLE_FIGURES "rss_bytes,idle_bytes,idle_percent"

#endif
