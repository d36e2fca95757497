/* SPDX-License-Identifier: MIT */
/*
 * Tags of buffers as rows: one that was given or taken away, or one that is there.
 */
#ifndef MEMOIR_CLI_TAG_ROWS_H
#define MEMOIR_CLI_TAG_ROWS_H

#include <memoir/snapshot.h>

#include "present/column.h"

struct tag_row {
	char id[MEMOIR_OBJECT_ID_MAX];
	const struct memoir_object *object; /* NULL: it is not there */
	const char *former; /* what it was called before; NULL: nothing, or not known */
	const char *tag;    /* NULL: none any more */
	const char *kept_in;
	bool unsure; /* it is not known whether the object is there */
};

extern const struct table_model given_tag_model;

#define TAG_COLUMNS_GIVEN "object,kind,former_tag,tag,kept_in"
#define TAG_COLUMNS_LISTED "object,kind,present,kept_in,tag"

#endif
