// SPDX-License-Identifier: MIT
/*
 * Bytes from strangers made safe for a terminal; knows nothing of tables or files.
 */
#include "present/escape.h"

#include <wchar.h>

#include "base/utf8.h"

/* Columns a character takes, or -1 if it must not be shown as it is. */
static int width_of(uint32_t code, bool utf8)
{
	if (code < 0x80)
		return utf8_deceives(code) || code == '\\' ? -1 : 1;
	return utf8 && !utf8_deceives(code) ? wcwidth((wchar_t)code) : -1;
}

static size_t escape_byte(char byte, char out[4])
{
	static const char digits[] = "0123456789abcdef";
	char letter = byte == '\n'   ? 'n'
		      : byte == '\t' ? 't'
		      : byte == '\r' ? 'r'
		      : byte == '\\' ? '\\'
				     : '\0';

	out[0] = '\\';
	out[1] = letter ? letter : 'x';
	if (letter)
		return 2;
	out[2] = digits[(unsigned char)byte >> 4];
	out[3] = digits[(unsigned char)byte & 15];
	return 4;
}

static int escape_bytes(struct buffer *buffer, const char *bytes, size_t len, size_t *width)
{
	char escaped[4];

	for (size_t i = 0; i < len; i++) {
		size_t size = escape_byte(bytes[i], escaped);
		int ret = buffer_add(buffer, escaped, size);

		if (ret < 0)
			return ret;
		*width += size;
	}
	return 0;
}

int escape_terminal(struct buffer *buffer, const char *bytes, size_t len, bool utf8,
		    size_t *ret_width)
{
	size_t plain = utf8_plain(bytes, len), width = plain;
	int ret = buffer_add(buffer, bytes, plain);

	for (size_t at = plain; at < len && ret == 0;) {
		uint32_t code = 0;
		size_t size = utf8_decode(bytes + at, len - at, &code);
		int columns = size ? width_of(code, utf8) : -1;

		if (columns >= 0) {
			ret = buffer_add(buffer, bytes + at, size);
			width += (size_t)columns;
		} else {
			size = size ? size : 1;
			ret = escape_bytes(buffer, bytes + at, size, &width);
		}
		at += size;
	}
	if (ret == 0)
		*ret_width = width;
	return ret;
}
