/* SPDX-License-Identifier: MIT */
/*
 * Shared buffers as rows: by buffer, by process that holds one, and by tag.
 */
#ifndef MEMOIR_CLI_BUFFER_ROWS_H
#define MEMOIR_CLI_BUFFER_ROWS_H

#include <memoir/buffers.h>

#include "present/column.h"

/* Rows are struct memoir_buffer. */
extern const struct table_model buffer_model;

/* A buffer and one that holds it. */
struct held_row {
	const struct memoir_buffer *buffer;
	const struct memoir_buffer_holder *holder;
};

/* Rows are struct held_row. */
extern const struct table_model held_model;

/* Rows are struct memoir_tag_sum. */
extern const struct table_model tag_model;

#endif
