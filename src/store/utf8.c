// SPDX-License-Identifier: MIT
/*
 * Whether bytes from strangers are UTF-8; changes nothing.
 */
#include "store/utf8.h"

#include <stdint.h>
#include <string.h>

/* The length of the sequence a lead byte starts, and the range its second byte must be in. */
static size_t sequence(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
	*ret_low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	*ret_high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

static bool all_ascii(const char *bytes, size_t len)
{
	uint64_t word, any = 0;
	size_t i = 0;

	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		any |= word;
	}
	for (; i < len; i++)
		any |= (uint8_t)bytes[i];
	return !(any & UINT64_C(0x8080808080808080));
}

bool utf8_valid(const char *bytes, size_t len)
{
	const uint8_t *at = (const uint8_t *)bytes, *end = at + len;
	uint8_t low, high;

	if (all_ascii(bytes, len))
		return true;
	while (at < end) {
		size_t size = sequence(*at, &low, &high);

		if (size == 0 || size > (size_t)(end - at))
			return false;
		if (size > 1 && (at[1] < low || at[1] > high))
			return false;
		for (size_t i = 2; i < size; i++)
			if ((at[i] & 0xc0) != 0x80)
				return false;
		at += size;
	}
	return true;
}
