/* SPDX-License-Identifier: MIT */
/*
 * Whether bytes from strangers are UTF-8; changes nothing.
 */
#ifndef MEMOIR_STORE_UTF8_H
#define MEMOIR_STORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing past U+10FFFF. */
bool utf8_valid(const char *bytes, size_t len);

#endif
