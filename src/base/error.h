/* SPDX-License-Identifier: MIT */
/*
 * Filling struct memoir_error: one sentence, the errno, what was asked about.
 */
#ifndef MEMOIR_BASE_ERROR_H
#define MEMOIR_BASE_ERROR_H

#include <memoir/memoir.h>

/* Store code and sentence (error may be NULL) and return code, so that `return error_set(…)` works. */
int error_set(struct memoir_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with the pid and the path asked about. */
int error_set_about(struct memoir_error *error, int code, pid_t pid, const char *path,
		    const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
