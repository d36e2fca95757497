// SPDX-License-Identifier: MIT
/*
 * Lists the tags that memoir tag gave, with their objects in a snapshot, and drops those without one; gives none.
 */
#include <memoir/tag.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strpool.h"
#include "snapshot/capture.h"
#include "snapshot/tag_links.h"

/* Somebody may have made it since; the clock of links lags behind. */
#define CLOCK_LAG_NS 20000000u

struct memory {
	struct tags tags;
	char *directories[2];
};

/* Rows are in the order of the links, list by list. */
struct listing {
	struct memoir *memoir;
	const struct memoir_snapshot *snapshot;
	struct memoir_given_tags *out;
	struct memory *memory;
};

void memoir_given_tags_free(struct memoir_given_tags *tags)
{
	struct memory *memory = tags ? tags->memory : NULL;

	if (memory) {
		tags_free(&memory->tags);
		free(memory->directories[0]);
		free(memory->directories[1]);
		free(memory);
	}
	if (tags) {
		free(tags->rows);
		*tags = (struct memoir_given_tags){ 0 };
	}
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int add_rows(struct listing *l, size_t k)
{
	struct tags *tags = &l->memory->tags;
	const struct tag_list *list = &tags->lists[k];
	bool own = k == 0 || geteuid() == 0;

	if (!tags->bases[k])
		return 0;
	if (asprintf(&l->memory->directories[k], "%s/memoir/" TAGS_NAME, tags->bases[k]) < 0) {
		l->memory->directories[k] = NULL;
		return -ENOMEM;
	}
	for (size_t i = 0; i < list->count; i++) {
		const char *word = list->links[i].word;
		const char *id = strpool_add(tags->strings, word, strcspn(word, "@"));

		if (!id)
			return -ENOMEM;
		l->out->rows[l->out->count++] = (struct memoir_given_tag){
			.id = id,
			.tag = list->links[i].text,
			.directory = l->memory->directories[k],
			.own = own,
		};
	}
	l->out->strange += own ? list->strange : 0;
	return 0;
}

static struct memoir_given_tag *row_of(const struct listing *l, size_t k,
				       const struct tag_link *link)
{
	const struct tag_list *lists = l->memory->tags.lists;

	return &l->out->rows[(k ? lists[0].count : 0) + (size_t)(link - lists[k].links)];
}

/* ---- their objects -------------------------------------------------------------------------- */

static void mark_unsure(struct listing *l, const char *id)
{
	for (size_t i = 0; i < l->out->count; i++)
		l->out->rows[i].unsure |= strcmp(l->out->rows[i].id, id) == 0;
}

static int find_rows(struct listing *l, struct tag_sights *sights, uint32_t object)
{
	const struct tag_list *lists = l->memory->tags.lists;
	char id[MEMOIR_OBJECT_ID_MAX], word[TAG_WORD_MAX];
	int err;

	memoir_object_id(&l->snapshot->objects[object], id);
	if (!tag_list_mentions(&lists[0], id) && !tag_list_mentions(&lists[1], id))
		return 0;
	err = tag_word_of(sights, object, word);
	if (err == -ENOMEM)
		return err;
	if (err && err != -ESTALE && err != -EOPNOTSUPP)
		mark_unsure(l, id);
	for (size_t k = 0; k < 2 && !err; k++) {
		const struct tag_link *link = tag_list_find(&lists[k], word);

		if (link)
			row_of(l, k, link)->object = &l->snapshot->objects[object];
	}
	return 0;
}

static int find_objects(struct listing *l)
{
	struct tag_sights sights = tag_sights_of(l->memoir, l->snapshot);
	int err = 0;

	for (uint32_t i = 0; i < l->snapshot->object_count && !err; i++)
		if (memoir_object_is_buffer(&l->snapshot->objects[i]))
			err = find_rows(l, &sights, i);
	tag_sights_free(&sights);
	return err;
}

/* ---- dropping ------------------------------------------------------------------------------- */

static int drop_from(struct listing *l, size_t k, struct links *links)
{
	const struct tag_list *list = &l->memory->tags.lists[k];

	for (size_t i = 0; i < list->count; i++) {
		struct memoir_given_tag *row = row_of(l, k, &list->links[i]);
		int err;

		if (row->object || row->unsure ||
		    list->links[i].made_ns + CLOCK_LAG_NS >= l->snapshot->taken_ns)
			continue;
		err = links_remove(links, list->links[i].word);
		if (err && err != -ENOENT)
			return err;
		row->dropped = true;
	}
	return 0;
}

static int drop_gone(struct listing *l, struct memoir_error *error)
{
	size_t k = geteuid() ? 0 : 1;
	const char *base = l->memory->tags.bases[k];
	struct links *links;
	int err;

	if (!l->memory->tags.lists[k].count)
		return 0;
	err = links_open(base, TAGS_NAME, geteuid(), false, &links);
	if (!err) {
		err = drop_from(l, k, links);
		links_close(links);
	}
	return err ? error_set_about(error, err, 0, l->memory->directories[k],
				     "tags in %s can't be dropped: %s", l->memory->directories[k],
				     strerror(-err))
		   : 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int make(struct listing *l)
{
	const struct tag_list *lists = l->memory->tags.lists;
	int err = tags_load(l->memoir, &l->memory->tags);

	if (err)
		return err;
	l->out->rows = calloc(lists[0].count + lists[1].count + 1, sizeof(*l->out->rows));
	err = l->out->rows ? add_rows(l, 0) : -ENOMEM;
	if (!err)
		err = add_rows(l, 1);
	return err ? err : find_objects(l);
}

int memoir_given_tags(struct memoir *memoir, const struct memoir_snapshot *snapshot, bool drop,
		      struct memoir_given_tags *ret_tags, struct memoir_error *error)
{
	struct memoir_given_tags out = { .memory = calloc(1, sizeof(struct memory)) };
	struct listing l = { memoir, snapshot, &out, out.memory };
	int err = out.memory ? make(&l) : -ENOMEM;

	if (err)
		error_set(error, err, "out of memory");
	else if (drop)
		err = drop_gone(&l, error);
	if (err)
		memoir_given_tags_free(&out);
	else
		*ret_tags = out;
	return err;
}
