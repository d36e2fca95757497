/* SPDX-License-Identifier: MIT */
/*
 * Tables for people.
 */
#ifndef MEMOIR_PRESENT_TABLE_H
#define MEMOIR_PRESENT_TABLE_H

#include "present/out.h"
#include "present/sheet.h"

struct table_options {
	bool no_heading;
	bool bold_heading;
	bool totals;      /* a last line with totals */
	bool plain_bytes; /* sizes in bytes */
	bool utf8;        /* the terminal shows UTF-8 and LC_CTYPE says so */
};

/*
 * Aligned columns, numbers to the right, "-" for what is not known, text escaped for terminals.
 * Lines are not cut: the last column may be long. 0 or -ENOMEM; failures to write are in out->error.
 */
int table_write(struct out *out, const struct sheet *sheet, const struct table_options *options);

#endif
