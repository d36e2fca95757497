// SPDX-License-Identifier: MIT
/*
 * Reads the tags that memoir tag gave; makes and removes none.
 */
#include "snapshot/tag_links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "base/strpool.h"
#include "snapshot/capture.h"

/* ---- reading -------------------------------------------------------------------------------- */

struct reading {
	struct tags *tags;
	struct tag_list *list;
	int err;
};

static const char *keep(struct reading *reading, const char *text)
{
	return strpool_add(reading->tags->strings, text, strlen(text));
}

static enum link_verdict take_link(const char *word, const char *text, uint64_t made_ns, void *arg)
{
	struct reading *reading = arg;
	struct tag_list *list = reading->list;
	struct tag_link *links;

	/* All ids have one; drafts and what others put there need not. */
	if (!strchr(word, ':') || !*text)
		return LINK_STRANGE;
	links = grow(list->links, &list->room, list->count + 1, sizeof(*links));
	if (!links) {
		reading->err = -ENOMEM;
		return LINK_KEEP;
	}
	list->links = links;
	links[list->count] = (struct tag_link){ keep(reading, word), keep(reading, text), made_ns };
	if (!links[list->count].word || !links[list->count].text)
		reading->err = -ENOMEM;
	else
		list->count++;
	return LINK_KEEP;
}

static int compare_links(const void *left, const void *right)
{
	return strcmp(((const struct tag_link *)left)->word,
		      ((const struct tag_link *)right)->word);
}

static int load_list(struct tags *tags, struct tag_list *list, const char *base, uid_t owner)
{
	struct reading reading = { tags, list, 0 };
	struct links *links;

	if (!base || links_open(base, TAGS_NAME, owner, false, &links) < 0)
		return 0;
	(void)links_each(links, take_link, &reading, &list->strange);
	links_close(links);
	if (list->count)
		qsort(list->links, list->count, sizeof(*list->links), compare_links);
	return reading.err;
}

int tags_load(const struct memoir *memoir, struct tags *ret_tags)
{
	struct tags tags = { .bases = { geteuid() ? memoir->runtime_dir : NULL, TAGS_ROOT_BASE } };
	int err;

	tags.strings = strpool_new();
	if (!tags.strings)
		return -ENOMEM;
	err = load_list(&tags, &tags.lists[0], tags.bases[0], geteuid());
	if (!err)
		err = load_list(&tags, &tags.lists[1], tags.bases[1], 0);
	if (err)
		tags_free(&tags);
	else
		*ret_tags = tags;
	return err;
}

void tags_free(struct tags *tags)
{
	free(tags->lists[0].links);
	free(tags->lists[1].links);
	strpool_free(tags->strings);
	*tags = (struct tags){ 0 };
}

bool tags_any(const struct tags *tags)
{
	return tags->lists[0].count || tags->lists[1].count;
}

/* ---- looking up ----------------------------------------------------------------------------- */

/* The first link whose word does not come before this. */
static const struct tag_link *lower_bound(const struct tag_list *list, const char *word)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(list->links[middle].word, word) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->count ? &list->links[low] : NULL;
}

/* An id alone, or with "@" and what stands behind it: other ids, which go on with digits, may stand between these. */
bool tag_list_mentions(const struct tag_list *list, const char *id)
{
	char word[TAG_WORD_MAX];
	int len = snprintf(word, sizeof(word), "%s@", id);
	const struct tag_link *alone = lower_bound(list, id), *bound = lower_bound(list, word);

	return (alone && strcmp(alone->word, id) == 0) ||
	       (bound && strncmp(bound->word, word, (size_t)len) == 0);
}

const struct tag_link *tag_list_find(const struct tag_list *list, const char *word)
{
	const struct tag_link *link = lower_bound(list, word);

	return link && strcmp(link->word, word) == 0 ? link : NULL;
}

const char *tags_of(const struct tags *tags, struct tag_sights *sights, uint32_t object)
{
	char id[MEMOIR_OBJECT_ID_MAX], word[TAG_WORD_MAX];
	const struct tag_link *link;

	memoir_object_id(&sights->snapshot->objects[object], id);
	/* Looking at an object costs more than its id. */
	if (!tag_list_mentions(&tags->lists[0], id) && !tag_list_mentions(&tags->lists[1], id))
		return NULL;
	if (tag_word_of(sights, object, word) < 0)
		return NULL;
	link = tag_list_find(&tags->lists[0], word);
	if (!link)
		link = tag_list_find(&tags->lists[1], word);
	return link ? link->text : NULL;
}
