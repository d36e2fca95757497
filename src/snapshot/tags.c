// SPDX-License-Identifier: MIT
/*
 * What each shared buffer is called: the one place where that is decided, when all objects and holders are
 * there. What somebody calls it by memoir tag; else what a process calls it that holds it; else what its maker does.
 */
#include <errno.h>
#include <stdlib.h>

#include "names/announced.h"
#include "snapshot/capture.h"
#include "snapshot/tag_links.h"

/* ---- by its maker --------------------------------------------------------------------------- */

/* What was only mapped: others were described with their fdinfo. */
static void tag_by_class(struct capture *c, struct memoir_object *o)
{
	const struct buffer_class *class = capture_class_of_kind(o->kind);
	const struct buffer_clues clues = { .path = o->path };
	struct buffer_facts facts = { 0 };

	if (o->tag || !o->path || !class || !class->tag)
		return;
	class->tag(&clues, &facts);
	if (*facts.tag)
		o->tag = snapshot_string(c->snap, facts.tag);
}

/* ---- by processes that hold it ------------------------------------------------------------- */

#define NO_USER ((uid_t)-1)
#define SEVERAL_USERS ((uid_t)-2)

enum rank { RANK_NONE, RANK_USER, RANK_ROOT };

struct tagging {
	struct capture *c;
	uid_t *users;   /* of each object: whose all processes are that have it */
	uint8_t *ranks; /* of each object: who gave it the tag that it has */
};

static void note_user(struct tagging *t, uint32_t object, uint32_t process)
{
	uid_t uid = t->c->snap->processes[process].uid;

	/* One that is not known may be any. */
	if (uid == NO_USER || (t->users[object] != NO_USER && t->users[object] != uid))
		uid = SEVERAL_USERS;
	t->users[object] = uid;
}

/* Nobody is to rename what others have, but root. */
static void ask(struct tagging *t, uint32_t object, uint32_t process)
{
	struct memoir_snapshot *s = t->c->snap;
	struct memoir_object *o = &s->objects[object];
	uid_t uid = s->processes[process].uid;
	enum rank rank = uid == 0                                    ? RANK_ROOT
			 : uid != NO_USER && uid == t->users[object] ? RANK_USER
								     : RANK_NONE;
	const char *tag;

	if (rank <= t->ranks[object] || o->kind == MEMOIR_KIND_ANNOUNCED ||
	    !memoir_object_is_buffer(o))
		return;
	tag = announced_find_tag(&t->c->announced, process,
				 announced_tag(o->dev_major, o->dev_minor, o->inode));
	if (!tag)
		return;
	o->tag = tag;
	t->ranks[object] = (uint8_t)rank;
}

static void each_user(struct tagging *t,
		      void (*does)(struct tagging *t, uint32_t object, uint32_t process))
{
	const struct memoir_snapshot *s = t->c->snap;

	for (size_t i = 0; i < snapshot_mapping_count(s); i++) {
		struct mapping mapping = snapshot_mapping(s, i);

		if (mapping.object != MEMOIR_NONE)
			does(t, mapping.object, mapping.process);
	}
	for (size_t i = 0; i < s->holder_count; i++)
		does(t, s->holders[i].object, s->holders[i].process);
}

static int tag_by_processes(struct capture *c)
{
	size_t count = c->snap->object_count;
	struct tagging t = { .c = c };
	int err = -ENOMEM;

	if (!c->announced.tag_count)
		return 0;
	announced_sort_tags(&c->announced);
	t.users = malloc((count + 1) * sizeof(*t.users));
	t.ranks = calloc(count + 1, sizeof(*t.ranks));
	if (t.users && t.ranks) {
		for (size_t i = 0; i < count; i++)
			t.users[i] = NO_USER;
		each_user(&t, note_user);
		each_user(&t, ask);
		err = 0;
	}
	free(t.users);
	free(t.ranks);
	return err;
}

/* ---- by memoir tag -------------------------------------------------------------------------- */

static void tag_by_link(struct capture *c, const struct tags *tags, struct tag_sights *sights,
			uint32_t object)
{
	struct memoir_object *o = &c->snap->objects[object];
	const char *tag = memoir_object_is_buffer(o) ? tags_of(tags, sights, object) : NULL;

	if (tag)
		o->tag = snapshot_string(c->snap, tag);
}

static int tag_by_links(struct capture *c)
{
	struct tag_sights sights = { .memoir = c->memoir, .snapshot = c->snap };
	struct tags tags;
	int err = tags_load(c->memoir, &tags);

	if (err)
		return err;
	for (uint32_t i = 0; i < c->snap->object_count && tags_any(&tags); i++)
		tag_by_link(c, &tags, &sights, i);
	tag_sights_free(&sights);
	tags_free(&tags);
	return 0;
}

/* Each has the last word on what is before it. */
int capture_tags(struct capture *c)
{
	int err;

	for (size_t i = 0; i < c->snap->object_count; i++)
		if (!c->snap->objects[i].is_family)
			tag_by_class(c, &c->snap->objects[i]);
	err = tag_by_processes(c);
	return err ? err : tag_by_links(c);
}
