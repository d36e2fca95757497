/* SPDX-License-Identifier: MIT */
/*
 * Who shares how much with whom, as a matrix, where the processes are few.
 */
#ifndef MEMOIR_CLI_SHARING_MATRIX_H
#define MEMOIR_CLI_SHARING_MATRIX_H

#include <memoir/analysis.h>

#include "present/column.h"

/* Wider ones are no table that a person would read. */
#define MATRIX_MAX 24

/* A table whose columns are its rows once more; pointers into itself: don't copy it. */
struct matrix {
	struct table_model model;
	struct column columns[MATRIX_MAX + 2];
	char heads[MATRIX_MAX][16];
	char shown[MATRIX_MAX * 16 + 16];
	size_t count;
	uint64_t shared_bytes[MATRIX_MAX][MATRIX_MAX];
	const struct memoir_process *const *processes;
	const void *rows[MATRIX_MAX];
};

/* Make the matrix of what was asked for; at most MATRIX_MAX processes. Its rows' ctx is the matrix. */
void matrix_make(struct matrix *matrix, const struct memoir_sharing *sharing);

#endif
