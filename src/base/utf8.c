// SPDX-License-Identifier: MIT
/*
 * UTF-8 from strangers: whether it is, and one character at a time; changes and prints nothing.
 */
#include "base/utf8.h"

#include <string.h>

static bool is_tail(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The length that a lead byte announces, and the bits of the code point in it; 0: no lead byte. */
static size_t lead(unsigned char byte, uint32_t *ret_bits)
{
	if (byte >= 0xc2 && byte <= 0xdf) {
		*ret_bits = byte & 0x1f;
		return 2;
	}
	if (byte >= 0xe0 && byte <= 0xef) {
		*ret_bits = byte & 0x0f;
		return 3;
	}
	*ret_bits = byte & 0x07;
	return byte >= 0xf0 && byte <= 0xf4 ? 4 : 0;
}

size_t utf8_decode(const char *bytes, size_t len, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;

	if (len == 0)
		return 0;
	if ((unsigned char)*bytes < 0x80) {
		*ret_code = (unsigned char)*bytes;
		return 1;
	}
	size_t size = lead((unsigned char)*bytes, &code);

	if (size == 0 || size > len)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (!is_tail(bytes[i]))
			return 0;
		code = code << 6 | ((unsigned char)bytes[i] & 0x3f);
	}
	if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return size;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static bool all_ascii(const char *bytes, size_t len)
{
	uint64_t word, any = 0;
	size_t i = 0;

	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		any |= word;
	}
	for (; i < len; i++)
		any |= (unsigned char)bytes[i];
	return !(any & EACH(0x80));
}

bool utf8_valid(const char *bytes, size_t len)
{
	uint32_t code;

	if (all_ascii(bytes, len))
		return true;
	while (len) {
		size_t size = utf8_decode(bytes, len, &code);

		if (size == 0)
			return false;
		bytes += size;
		len -= size;
	}
	return true;
}

/* Non-zero if one of eight bytes is 0; right where no byte has its high bit set. */
static uint64_t has_zero(uint64_t word)
{
	return (word - EACH(1)) & ~word & EACH(0x80);
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* No byte has its high bit set, is below 0x20 (borrows), or one of three. */
static bool is_plain_word(uint64_t word)
{
	return !(((word | (word - EACH(0x20))) & EACH(0x80)) | has_zero(word ^ EACH('"')) |
		 has_zero(word ^ EACH('\\')) | has_zero(word ^ EACH(0x7f)));
}

/* Four to eight bytes as eight: the first and the last four, which may overlap. */
static uint64_t ends_of(const char *bytes, size_t len)
{
	uint32_t first, last;

	memcpy(&first, bytes, sizeof(first));
	memcpy(&last, bytes + len - sizeof(last), sizeof(last));
	return (uint64_t)last << 32 | first;
}

size_t utf8_plain(const char *bytes, size_t len)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		if (!is_plain_word(word))
			break;
	}
	if (len - i >= 4 && len - i < sizeof(word) && is_plain_word(ends_of(bytes + i, len - i)))
		return len;
	while (i < len && is_plain((unsigned char)bytes[i]))
		i++;
	return i;
}

bool utf8_deceives(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x61c, 0x61c },
		{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}
