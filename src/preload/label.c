// SPDX-License-Identifier: MIT
/*
 * Makes names of paths and symbols. Good in signal handlers.
 */
#include "preload/label.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PARTS 16
#define RUST_HASH_BYTES 17

struct part {
	const char *text;
	size_t bytes;
	bool destroys;
};

static size_t add(char *label, size_t at, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes && at < MEMOIR_NAME_MAX - 1; i++, at++) {
		bool good = text[i] >= 0x20 && text[i] <= 0x7e && !strchr("\\`$[]", text[i]);

		label[at] = good ? text[i] : '_';
	}
	return at;
}

/* ---- C++ and Rust --------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A length and as many bytes; behind them, or NULL. */
static const char *take_identifier(const char *at, struct part *part)
{
	size_t bytes = 0;

	while (is_digit(*at) && bytes < UINT16_MAX)
		bytes = bytes * 10 + (size_t)(*at++ - '0');
	*part = (struct part){ .text = at, .bytes = bytes };
	return bytes && strnlen(at, bytes) == bytes ? at + bytes : NULL;
}

static const char std[] = "std";

static bool is_std(const struct part *part)
{
	return part->text == std;
}

/* The next part of a mangled name; behind it, or NULL: it is none of these few. */
static const char *take_part(const char *at, struct part *parts, size_t count)
{
	if (count == 0 && at[0] == 'S' && at[1] == 't') {
		parts[0] = (struct part){ .text = std, .bytes = 3 };
		return at + 2;
	}
	at += *at == 'L'; /* of this file only */
	if (is_digit(*at))
		return take_identifier(at, &parts[count]);
	if (!count || (*at != 'C' && *at != 'D') || !is_digit(at[1]))
		return NULL;
	parts[count] = parts[count - 1];
	parts[count].destroys = *at == 'D';
	return at + 2;
}

/*
 * Plain names, in namespaces and classes or not: how many parts. 0: it is not mangled, or has template
 * parameters, operators and what else would need a real demangler, which needs memory.
 */
static size_t take_apart(const char *symbol, struct part parts[PARTS])
{
	const char *at = symbol + 2;
	size_t count = 0;
	bool nested;

	if (strncmp(symbol, "_Z", 2) != 0)
		return 0;
	nested = *at == 'N';
	at += nested;
	while (nested && *at && strchr("KVrRO", *at))
		at++;
	do {
		at = count < PARTS ? take_part(at, parts, count) : NULL;
		count++;
		/* Outside of classes only std has something behind it. */
	} while (at && (nested ? *at != 'E' : is_std(&parts[count - 1])));
	return at && *at != 'I' ? count : 0;
}

static bool is_rust_hash(const struct part *part)
{
	return part->bytes == RUST_HASH_BYTES && part->text[0] == 'h' &&
	       strspn(part->text + 1, "0123456789abcdef") >= RUST_HASH_BYTES - 1;
}

static size_t add_function(char *label, size_t at, const char *function)
{
	struct part parts[PARTS];
	size_t count = take_apart(function, parts);

	if (!count)
		return add(label, at, function, strlen(function));
	count -= count > 1 && is_rust_hash(&parts[count - 1]);
	for (size_t i = 0; i < count; i++) {
		at = add(label, at, "::", i ? 2 : 0);
		at = add(label, at, "~", parts[i].destroys);
		at = add(label, at, parts[i].text, parts[i].bytes);
	}
	return at;
}

/* ---- all of it ------------------------------------------------------------------------------ */

void label_make(char label[MEMOIR_NAME_MAX], const char *path, const char *function)
{
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
	size_t at = add(label, 0, file, strlen(file));

	/* A colon without a function would say nothing. */
	if (function && *function && at + 2 < MEMOIR_NAME_MAX) {
		label[at++] = ':';
		at = add_function(label, at, function);
	}
	label[at] = '\0';
}
