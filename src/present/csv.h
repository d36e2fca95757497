/* SPDX-License-Identifier: MIT */
/*
 * CSV as RFC 4180 has it.
 */
#ifndef MEMOIR_PRESENT_CSV_H
#define MEMOIR_PRESENT_CSV_H

#include "present/out.h"
#include "present/sheet.h"

struct csv_options {
	bool no_heading;
	bool to_terminal; /* text is escaped as in tables, for the terminal's sake */
	bool utf8;        /* what the terminal shows */
};

/*
 * A header line and rows; lines end in CR LF. Unknown cells are empty, several pids are separated by
 * blanks, bytes that are not UTF-8 become U+FFFD (only JSON has them in hex). A cell that begins with
 * "=" is printed as it is: what spreadsheets make of it is not dealt with.
 */
void csv_write(struct out *out, const struct sheet *sheet, const struct csv_options *options);

#endif
