/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 from strangers: whether it is, and one character at a time.
 */
#ifndef MEMOIR_BASE_UTF8_H
#define MEMOIR_BASE_UTF8_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The length of the character at `bytes` (at least one byte there) and its code point; 0 if it is not
 * well-formed as RFC 3629 has it: no surrogates, no overlong forms, nothing past U+10FFFF.
 */
size_t utf8_decode(const char *bytes, size_t len, uint32_t *ret_code);

/* Whether all of it is well-formed. */
bool utf8_valid(const char *bytes, size_t len);

/* The number of leading bytes that are ASCII and no control characters, '"' or '\\'. */
size_t utf8_plain(const char *bytes, size_t len);

/*
 * Whether a character changes what other characters look like, or is invisible: C0 and C1 controls,
 * bidirectional marks and overrides, line and paragraph separators, tags, the byte order mark.
 */
bool utf8_deceives(uint32_t code);

#endif
