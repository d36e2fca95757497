// SPDX-License-Identifier: MIT
/*
 * What objects are called in all outputs. Done for each region that is printed, so without printf.
 */
#include <memoir/snapshot.h>

#include <string.h>

static char *put_text(char *to, const char *text)
{
	return mempcpy(to, text, strlen(text));
}

static char *put_decimal(char *to, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	memcpy(to, digits + at, sizeof(digits) - at);
	return to + sizeof(digits) - at;
}

/* At least two digits. */
static char *put_hex(char *to, uint32_t number)
{
	int shift = 4;

	while (shift < 28 && number >> shift > 15)
		shift += 4;
	for (; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[number >> shift & 15];
	return to;
}

const char *memoir_object_id(const struct memoir_object *object, char buf[MEMOIR_OBJECT_ID_MAX])
{
	const char *kind = memoir_kind_name(object->kind);
	char *at = buf;

	if (object->is_family) {
		at = put_decimal(put_text(at, "family:"), object->inode);
		*at = '\0';
		return buf;
	}
	at = put_text(at, kind ? kind : "unknown");
	*at++ = ':';
	at = put_hex(at, object->dev_major);
	*at++ = ':';
	at = put_hex(at, object->dev_minor);
	*at++ = ':';
	at = put_decimal(at, object->inode);
	if (object->alias) {
		*at++ = '#';
		at = put_decimal(at, object->alias);
	}
	*at = '\0';
	return buf;
}
