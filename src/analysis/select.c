// SPDX-License-Identifier: MIT
/*
 * Selectors from text: splits keys, globs and ranges and says what is wrong with them; looks at no
 * snapshot.
 */
#include "analysis/select.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/grow.h"

#define KEYS "pid comm user cgroup name path kind object"

static const struct {
	const char *word;
	enum selector_key key;
} keys[] = {
	{ "pid", KEY_PID },   { "comm", KEY_COMM }, { "user", KEY_USER }, { "cgroup", KEY_CGROUP },
	{ "name", KEY_NAME }, { "path", KEY_PATH }, { "kind", KEY_KIND }, { "object", KEY_OBJECT },
};

bool selector_key_is_of_region(enum selector_key key)
{
	return key >= KEY_NAME;
}

bool glob_is_number(const char *glob)
{
	return *glob && glob[strspn(glob, "0123456789")] == '\0';
}

static int find_key(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].word) == len && memcmp(keys[i].word, word, len) == 0)
			return (int)keys[i].key;
	return -1;
}

/*
 * The length of the glob at `text`: up to a comma that no backslash stands before. The backslash stays:
 * to fnmatch() too, "\," is a comma.
 */
static size_t glob_len(const char *text)
{
	size_t len = 0;

	while (text[len] && text[len] != ',')
		len += text[len] == '\\' && text[len + 1] ? 2 : 1;
	return len;
}

static int parse_pid(const char *digits, pid_t *ret_pid)
{
	errno = 0;
	unsigned long pid = strtoul(digits, NULL, 10);

	if (errno || pid > INT_MAX)
		return -EINVAL;
	*ret_pid = (pid_t)pid;
	return 0;
}

/* A pid as a glob without leading zeros, so that it compares as the number it is. */
static int check_pid_glob(char *glob)
{
	const char *allowed = strchr(glob, '[') ? "0123456789*?[]!^-" : "0123456789*?";
	pid_t pid;

	if (!glob_is_number(glob))
		return glob[strspn(glob, allowed)] ? -EINVAL : 0;
	if (parse_pid(glob, &pid) < 0)
		return -EINVAL;
	size_t zeros = strspn(glob, "0");

	if (zeros && !glob[zeros])
		zeros--;
	memmove(glob, glob + zeros, strlen(glob + zeros) + 1);
	return 0;
}

static int add_glob(struct selector *selector, const char *text, size_t len)
{
	char **globs = grow(selector->globs, &selector->glob_room, selector->glob_count + 1,
			    sizeof(*globs));

	if (!globs)
		return -ENOMEM;
	selector->globs = globs;
	char *glob = strndup(text, len);

	if (!glob)
		return -ENOMEM;
	globs[selector->glob_count++] = glob;
	return selector->key == KEY_PID ? check_pid_glob(glob) : 0;
}

/* "[heap]" as tables show what has no name: it would be taken for a name of one of these letters. */
static bool is_kind_in_brackets(const char *glob, size_t len)
{
	for (unsigned int kind = 0; kind < MEMOIR_KINDS; kind++) {
		const char *name = memoir_kind_name(kind);

		if (strlen(name) + 2 == len && glob[0] == '[' && glob[len - 1] == ']' &&
		    strncmp(glob + 1, name, len - 2) == 0)
			return true;
	}
	return false;
}

static int parse_globs(struct selector *selector, const char *text, const char *values,
		       struct memoir_error *error)
{
	for (const char *at = values;; at++) {
		size_t len = glob_len(at);

		if (len == 0)
			return error_set(
				error, -EINVAL,
				"the selector '%s' has an empty value; a comma in a value is "
				"written with a backslash before it",
				text);
		if (selector->key == KEY_NAME && is_kind_in_brackets(at, len))
			return error_set(error, -EINVAL,
					 "the selector '%s' asks for a kind of memory, and not for "
					 "a name: write kind:%.*s",
					 text, (int)len - 2, at + 1);
		int ret = add_glob(selector, at, len);

		if (ret == -EINVAL)
			return error_set(error, ret,
					 "the selector '%s' has '%.*s' for a pid, which is "
					 "no number or pattern of digits",
					 text, (int)len, at);
		if (ret < 0)
			return error_set(error, ret, "out of memory");
		at += len;
		if (!*at)
			return 0;
	}
}

/* One hexadecimal number, with or without 0x. */
static int parse_address(const char **at, uint64_t *ret_address)
{
	char *end;

	if (!isxdigit((unsigned char)**at))
		return -EINVAL;
	errno = 0;
	*ret_address = strtoull(*at, &end, 16);
	if (errno)
		return -EINVAL;
	*at = end;
	return 0;
}

static int parse_range(struct selector *selector, const char *text, const char *range,
		       struct memoir_error *error)
{
	const char *at = range;

	selector->key = KEY_RANGE;
	if (parse_pid(text, &selector->pid) < 0)
		return error_set(error, -EINVAL, "the selector '%s' does not begin with a pid",
				 text);
	if (parse_address(&at, &selector->start) < 0 || *at++ != '-' ||
	    parse_address(&at, &selector->end) < 0 || *at)
		return error_set(error, -EINVAL,
				 "the selector '%s' is no range: write PID:START-END "
				 "with hexadecimal addresses, as /proc/PID/maps has them",
				 text);
	if (selector->start >= selector->end)
		return error_set(error, -EINVAL,
				 "the range of the selector '%s' is empty: its end is "
				 "not above its start",
				 text);
	return 0;
}

static int parse_selector(struct selector *selector, const char *text, struct memoir_error *error)
{
	const char *colon = strchr(text, ':');
	size_t digits = strspn(text, "0123456789");

	if (!colon && digits && text[strspn(text, "0123456789,")] == '\0') {
		selector->key = KEY_PID;
		return parse_globs(selector, text, text, error);
	}
	if (!colon)
		return error_set(error, -EINVAL,
				 "the selector '%s' has no key: write KEY:GLOB with one "
				 "of the keys " KEYS ", or a pid (comm:%s?)",
				 text, text);
	if (digits && text + digits == colon)
		return parse_range(selector, text, colon + 1, error);
	int key = find_key(text, (size_t)(colon - text));

	if (key < 0)
		return error_set(error, -EINVAL,
				 "the selector '%s' has an unknown key; there are " KEYS, text);
	selector->key = (enum selector_key)key;
	if (key == KEY_USER) {
		selector->users = calloc(1, sizeof(*selector->users));
		if (!selector->users)
			return error_set(error, -ENOMEM, "out of memory");
	}
	return parse_globs(selector, text, colon + 1, error);
}

int memoir_selection_parse(const char *const *selectors, size_t count,
			   struct memoir_selection **ret_selection, struct memoir_error *error)
{
	struct memoir_selection *selection = calloc(1, sizeof(*selection));
	int ret = 0;

	if (selection)
		selection->selectors = calloc(count ? count : 1, sizeof(*selection->selectors));
	if (!selection || !selection->selectors) {
		free(selection);
		return error_set(error, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < count && ret == 0; i++) {
		selection->count++; /* so that what there is of it is freed */
		ret = parse_selector(&selection->selectors[i], selectors[i], error);
	}
	if (ret < 0) {
		memoir_selection_free(selection);
		return ret;
	}
	*ret_selection = selection;
	return 0;
}

void memoir_selection_free(struct memoir_selection *selection)
{
	if (!selection)
		return;
	for (size_t i = 0; i < selection->count; i++) {
		struct selector *selector = &selection->selectors[i];

		for (size_t g = 0; g < selector->glob_count; g++)
			free(selector->globs[g]);
		free(selector->globs);
		if (selector->users)
			u64map_free(selector->users);
		free(selector->users);
	}
	free(selection->selectors);
	free(selection);
}
