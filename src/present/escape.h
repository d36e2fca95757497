/* SPDX-License-Identifier: MIT */
/*
 * Bytes from strangers made safe for a terminal: the one place where that is done.
 */
#ifndef MEMOIR_PRESENT_ESCAPE_H
#define MEMOIR_PRESENT_ESCAPE_H

#include <stdbool.h>

#include "present/buffer.h"

/*
 * Append the bytes so that they cannot move the cursor, change colours, reorder or hide text:
 * control characters, invalid UTF-8 and characters that deceive become \n, \t, \r or \xNN for each
 * byte, and a backslash is doubled, so that nothing is ambiguous. `utf8`: the terminal shows UTF-8
 * (and LC_CTYPE says so); if not, all that is not ASCII becomes \xNN.
 * Returns 0 or -ENOMEM; *ret_width is the number of terminal columns appended.
 */
int escape_terminal(struct buffer *buffer, const char *bytes, size_t len, bool utf8,
		    size_t *ret_width);

#endif
