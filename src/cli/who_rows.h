/* SPDX-License-Identifier: MIT */
/*
 * What memoir who prints: its columns, its fields and its sentence.
 */
#ifndef MEMOIR_CLI_WHO_ROWS_H
#define MEMOIR_CLI_WHO_ROWS_H

#include <memoir/who.h>

#include "cli/cli.h"

/* Rows are struct memoir_who_row. */
extern const struct table_model who_model;
/* Rows are struct memoir_who_set. */
extern const struct table_model who_set_model;

/* The columns of a table, where no page was asked about. */
#define WHO_REGION_COLUMNS "pid,comm,start,end,rss_bytes,pss_bytes,swap_bytes,how,name,path"

#define WHO_FIELDS 9

/* What is known of the page, at the top level of JSON; texts live as long as the answer. */
void who_fields(const struct memoir_who *who, struct json_field fields[WHO_FIELDS]);

#define WHO_SENTENCE_MAX 512

/* The same for people; "" where nothing is known. */
void who_sentence(const struct memoir_page *page, char buf[WHO_SENTENCE_MAX]);

#endif
