/* SPDX-License-Identifier: MIT */
/*
 * Whether a string is one that is known: strcmp(), which is called for each name, by whole words. Reads no
 * page that the string is not in, and known up to 7 bytes behind its end.
 */
#ifndef MEMOIR_NAMES_SAME_TEXT_H
#define MEMOIR_NAMES_SAME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

typedef uint64_t __attribute__((may_alias)) text_word;

static inline uint64_t load_word(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/*
 * bytes: those of known, with its NUL. Of text, words at multiples of 8 are read: the first may begin before it and the
 * last may end behind it, in the same page. Each is compared before the next is read, as text may be shorter.
 */
static inline __attribute__((no_sanitize("address", "thread"))) bool is_same_text(const char *known,
										  size_t bytes,
										  const char *text)
{
	unsigned int skew = (uintptr_t)text % 8;
	const text_word *from = (const text_word *)(const void *)(text - skew);
	uint64_t differing = *from >> 8 * skew ^ load_word(known);

	if (bytes + skew <= 8)
		return differing << (64 - 8 * bytes) == 0;
	if (differing << 8 * skew)
		return false;
	known += 8 - skew;
	bytes -= 8 - skew;
	for (from++; bytes > 8; bytes -= 8, known += 8)
		if (*from++ != load_word(known))
			return false;
	return (*from ^ load_word(known)) << (64 - 8 * bytes) == 0;
}

#else

static inline bool is_same_text(const char *known, size_t bytes, const char *text)
{
	(void)bytes;
	return strcmp(known, text) == 0;
}

#endif

#endif
