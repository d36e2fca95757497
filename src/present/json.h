/* SPDX-License-Identifier: MIT */
/*
 * JSON as CONTRACT has it: one object with schema, taken, partial, notes, totals and rows.
 */
#ifndef MEMOIR_PRESENT_JSON_H
#define MEMOIR_PRESENT_JSON_H

#include "present/out.h"
#include "present/sheet.h"

/* A field at the top level. */
struct json_field {
	const char *name;
	struct cell cell;
};

/* Further rows at the top level, under a name of their own. */
struct json_section {
	const char *name;
	const struct sheet *sheet;
};

struct json_document {
	const char *schema; /* "memoir.ps/1" */
	uint64_t taken_ns;
	bool partial;
	const char *const *notes;
	size_t note_count;
	const struct json_field *fields;
	size_t field_count;
	const struct json_section *sections;
	size_t section_count;
	const struct sheet *sheet; /* totals and rows */
};

/* An object of these fields on a line of its own, for output that has no end yet. */
void json_write_line(struct out *out, const struct json_field *fields, size_t count);

/* One row stands on one line. Failures are kept in out->error; the caller flushes. */
void json_write(struct out *out, const struct json_document *document);

#endif
