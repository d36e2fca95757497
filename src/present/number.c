// SPDX-License-Identifier: MIT
/*
 * Numbers and times as text; independent of locale, and fast, for tables of a million cells.
 */
#include "present/number.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

static unsigned int digits_of(uint64_t value)
{
	unsigned int digits = 1;

	for (; value >= 10000; value /= 10000)
		digits += 4;
	return digits + (value >= 10) + (value >= 100) + (value >= 1000);
}

size_t number_decimal(uint64_t value, char buf[NUMBER_MAX])
{
	size_t len = digits_of(value);
	char *at = buf + len;

	*at = '\0';
	for (; value >= 100; value /= 100) {
		at -= 2;
		memcpy(at, pairs + value % 100 * 2, 2);
	}
	if (value >= 10)
		memcpy(buf, pairs + value * 2, 2);
	else
		*buf = (char)('0' + value);
	return len;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight digits, all at once: a byte for each. */
static void eight_hex(uint32_t value, char to[8])
{
	uint64_t digits = value;

	digits = (digits << 16 | digits) & UINT64_C(0x0000ffff0000ffff);
	digits = (digits << 8 | digits) & UINT64_C(0x00ff00ff00ff00ff);
	digits = (digits << 4 | digits) & EACH(0x0f);
	/* What carries from 10 on is a letter. */
	digits += EACH('0') + ((digits + EACH(6)) >> 4 & EACH(1)) * ('a' - '0' - 10);
	digits = htobe64(digits);
	memcpy(to, &digits, sizeof(digits));
}

size_t number_hex(uint64_t value, unsigned int digits, char buf[NUMBER_MAX])
{
	unsigned int len = value ? (67 - (unsigned int)__builtin_clzll(value)) / 4 : 1;
	char text[32] = ""; /* so that 16 may be copied whatever is left out before */

	if (len < digits)
		len = digits < 16 ? digits : 16;
	eight_hex((uint32_t)(value >> 32), text);
	eight_hex((uint32_t)value, text + 8);
	memcpy(buf, text + 16 - len, 16);
	buf[len] = '\0';
	return len;
}

/* Three digits that count; the limits are where rounding would carry into a fourth. */
static size_t three_digits(double value, char buf[NUMBER_MAX])
{
	unsigned int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	unsigned int unit = decimals == 2 ? 100 : decimals == 1 ? 10 : 1;
	unsigned int scaled = (unsigned int)(value * unit + 0.5);
	size_t len = number_decimal(scaled / unit, buf);

	if (decimals) {
		buf[len++] = '.';
		if (decimals == 2)
			buf[len++] = (char)('0' + scaled / 10 % 10);
		buf[len++] = (char)('0' + scaled % 10);
	}
	return len;
}

size_t number_bytes(uint64_t bytes, char buf[NUMBER_MAX])
{
	static const char units[][4] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	const size_t last = sizeof(units) / sizeof(units[0]) - 1;
	double value = (double)bytes / 1024;
	size_t unit = 0, len;

	if (bytes < 1024) {
		len = number_decimal(bytes, buf);
		if (bytes)
			buf[len++] = 'B';
		buf[len] = '\0';
		return len;
	}
	for (; value >= 1023.5 && unit < last; unit++)
		value /= 1024;
	len = three_digits(value, buf);
	memcpy(buf + len, units[unit], sizeof(units[unit]));
	return len + sizeof(units[unit]) - 1;
}

/* Also of INT64_MIN. */
static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

size_t number_delta(int64_t bytes, bool plain, char buf[NUMBER_MAX])
{
	size_t sign = bytes != 0;

	if (sign)
		*buf = bytes < 0 ? '-' : '+';
	return sign + (plain ? number_decimal(magnitude(bytes), buf + sign)
			     : number_bytes(magnitude(bytes), buf + sign));
}

size_t number_signed(int64_t value, char buf[NUMBER_MAX])
{
	size_t sign = value < 0;

	*buf = '-';
	return sign + number_decimal(magnitude(value), buf + sign);
}

size_t number_percent(uint64_t part, uint64_t whole, char buf[NUMBER_MAX])
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0.0;

	return (size_t)snprintf(buf, NUMBER_MAX, "%.1f%%", percent);
}

size_t number_time(uint64_t time_ns, char buf[NUMBER_MAX])
{
	time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
	unsigned int ms = (unsigned int)(time_ns % NS_PER_SECOND / NS_PER_MS);
	struct tm tm;
	size_t len;

	if (!gmtime_r(&seconds, &tm))
		tm = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	len = strftime(buf, NUMBER_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	return len + (size_t)snprintf(buf + len, NUMBER_MAX - len, ".%03uZ", ms);
}

int number_parse_bytes(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "BKMGTP";
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	double value = strtod(text, &end);
	const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : units;

	if (!unit ||
	    (*end && end[1] && strcasecmp(end + 1, "B") != 0 && strcasecmp(end + 1, "iB") != 0))
		return -EINVAL;
	for (; unit > units; unit--)
		value *= 1024;
	/* Up to 2^63: beyond, a double and a limit lose their sense. Also refuses what is no number. */
	if (!(value >= 1 && value < 0x1p63))
		return -EINVAL;
	*ret_bytes = (uint64_t)value;
	return 0;
}
