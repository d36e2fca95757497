/* SPDX-License-Identifier: MIT */
/*
 * Lines of output that has no end yet: what commands that watch have in common.
 */
#ifndef MEMOIR_CLI_LINES_H
#define MEMOIR_CLI_LINES_H

#include "present/json.h"

/* Fields of a line of JSON. */
void line_text(struct json_field *field, const char *name, const char *text);
void line_number(struct json_field *field, const char *name, uint64_t number);
void line_bool(struct json_field *field, const char *name, bool is);
/* null where it is not known. */
void line_bytes(struct json_field *field, const char *name, bool is_known, uint64_t bytes);

/* A text from a stranger, safe for terminals, filled up with blanks to so many columns. */
void line_escaped(struct out *out, const char *text, size_t len, size_t columns);

/* The time of day of a time since 1970, with its milliseconds: the day is not of interest. */
void line_time(struct out *out, uint64_t time_ns);

#endif
