/* SPDX-License-Identifier: MIT */
/*
 * Tags that memoir tag gave: links OBJECT -> tag in memoir/tags below /run (root's, for all) and below a user's
 * own runtime directory (for him). OBJECT is an id and, where its number may be used again, "@" and what tells this object
 * from later ones.
 */
#ifndef MEMOIR_SNAPSHOT_TAG_LINKS_H
#define MEMOIR_SNAPSHOT_TAG_LINKS_H

#include <memoir/snapshot.h>

#include "base/links.h"

#define TAGS_ROOT_BASE "/run"
#define TAGS_NAME "tags"

/* "@" and 16 digits. */
#define TAG_WORD_MAX (MEMOIR_OBJECT_ID_MAX + 17)

/* ---- which object is meant (tag_words.c) ---------------------------------------------------- */

/* Where objects can be looked at: made when first needed. All zero but for the first two, while that is captured. */
struct tag_sights {
	struct memoir *memoir;
	const struct memoir_snapshot *snapshot;
	uint32_t *holders; /* of each object the first, or MEMOIR_NONE */
	uint32_t *mappings;
};

/* Of a snapshot that is handed out, as not all of its regions may be there yet. */
struct tag_sights tag_sights_of(struct memoir *memoir, const struct memoir_snapshot *snapshot);

void tag_sights_free(struct tag_sights *sights);

/*
 * The word of an object. 0; -EOPNOTSUPP: nothing tells it from later ones, or the kernel keeps its tag; -ESTALE: it is
 * gone; -EXDEV: a segment of another IPC namespace; -EACCES, -EPERM: it may not be looked at; -ENOMEM.
 */
int tag_word_of(struct tag_sights *sights, uint32_t object, char word[TAG_WORD_MAX]);

/* ---- what links say (tag_links.c) ----------------------------------------------------------- */

struct tag_link {
	const char *word, *text;
	uint64_t made_ns;
};

/* The links of one directory, by word. */
struct tag_list {
	struct tag_link *links;
	size_t count, room;
	size_t strange;
};

/* Own ones first. */
struct tags {
	struct tag_list lists[2];
	const char *bases[2]; /* below which memoir/tags is; NULL: none */
	struct strpool *strings;
};

/*
 * Read those that this user believes: its own (memoir's runtime directory; root's is /run) and root's. What can't be
 * trusted or read is as if there was none. 0 or -ENOMEM.
 */
int tags_load(const struct memoir *memoir, struct tags *ret_tags);
void tags_free(struct tags *tags);

/* Whether a list has a link of this id, of whichever object. */
bool tag_list_mentions(const struct tag_list *list, const char *id);
/* The link with this word; NULL: none. */
const struct tag_link *tag_list_find(const struct tag_list *list, const char *word);

/* Whether there are any. */
bool tags_any(const struct tags *tags);

/* The tag given to an object, NULL: none. Belongs to tags. */
const char *tags_of(const struct tags *tags, struct tag_sights *sights, uint32_t object);

#endif
