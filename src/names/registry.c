// SPDX-License-Identifier: MIT
/*
 * Links whose words are ids; makes no ids.
 */
#include "names/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_DIGITS 16

int registry_open(const char *base, bool make, struct links **ret_registry)
{
	return links_open(base, "names", geteuid(), make, ret_registry);
}

static void to_word(uint64_t id, char word[ID_DIGITS + 1])
{
	snprintf(word, ID_DIGITS + 1, "%016llx", (unsigned long long)id);
}

static bool to_id(const char *word, uint64_t *ret_id)
{
	if (strlen(word) != ID_DIGITS || strspn(word, "0123456789abcdef") != ID_DIGITS)
		return false;
	*ret_id = strtoull(word, NULL, 16);
	return true;
}

int registry_read(const struct links *registry, uint64_t id, char name[LINKS_TEXT_MAX])
{
	char word[ID_DIGITS + 1];

	to_word(id, word);
	return links_read(registry, word, name);
}

int registry_add(struct links *registry, uint64_t id, const char *name)
{
	char word[ID_DIGITS + 1];

	to_word(id, word);
	return links_add(registry, word, name);
}

struct listing {
	registry_fn each;
	void *arg;
};

static enum link_verdict take(const char *word, const char *text, uint64_t made_ns, void *arg)
{
	const struct listing *listing = arg;
	uint64_t id;

	if (!to_id(word, &id))
		return LINK_STRANGE;
	return listing->each(id, text, made_ns, listing->arg) ? LINK_DROP : LINK_KEEP;
}

int registry_each(struct links *registry, registry_fn each, void *arg, size_t *ret_strange)
{
	struct listing listing = { each, arg };

	return links_each(registry, take, &listing, ret_strange);
}
