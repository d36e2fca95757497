// SPDX-License-Identifier: MIT
/*
 * Fills struct memoir_error; never prints.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __attribute__((format(printf, 5, 0))) int error_vset(struct memoir_error *error, int code,
							    pid_t pid, const char *path,
							    const char *format, va_list args)
{
	if (!error)
		return code;
	error->code = code;
	error->pid = pid;
	snprintf(error->path, sizeof(error->path), "%s", path ? path : "");
	vsnprintf(error->text, sizeof(error->text), format, args);
	return code;
}

int error_set(struct memoir_error *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_vset(error, code, 0, NULL, format, args);
	va_end(args);
	return code;
}

int error_set_about(struct memoir_error *error, int code, pid_t pid, const char *path,
		    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_vset(error, code, pid, path, format, args);
	va_end(args);
	return code;
}
