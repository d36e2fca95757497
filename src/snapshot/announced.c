// SPDX-License-Identifier: MIT
/*
 * Buffers that processes announce become objects and holders. All of it is claims of strangers: each process may
 * speak for itself, of others only who may do with them as they like, and there is a limit to it.
 */
#include "snapshot/announced.h"

#include <errno.h>
#include <stdlib.h>

#include "base/grow.h"
#include "kernel/process.h"
#include "names/announced.h"
#include "names/reader.h"
#include "snapshot/capture.h"

#define BUFFERS_MAX 200000u
#define HOLDERS_MAX 1000000u
#define TAGS_MAX 200000u

/* One table. */
struct saying {
	struct capture *c;
	uint32_t process;
	pid_t own_pid;   /* as the process itself knows it */
	bool knows_ours; /* pids of other processes are the same for it and for us */
	const struct named_range *at, *end;
};

/* ---- what of a table is meant --------------------------------------------------------------- */

static uint64_t length_of(const struct named_range *range)
{
	return range->end - range->start;
}

/* All of one sort stand together. */
static const struct named_range *skip_to(const struct saying *s, enum announced_sort sort)
{
	const struct named_range *at = s->at;

	while (at < s->end && announced_sort_of(at->start) < sort)
		at++;
	return at;
}

/* What a child of fork has inherited says who announced it: its parent. */
static bool is_own(const struct saying *s)
{
	for (const struct named_range *at = s->at; at < s->end; at++)
		if (at->start == announced_owner(s->own_pid))
			return true;
	return false;
}

static bool is_buffer(const struct named_range *range)
{
	return range->start == announced_buffer(announced_number_of(range->start)) &&
	       length_of(range) < 1ull << ANNOUNCED_NUMBER_SHIFT;
}

static bool is_reference(const struct named_range *range)
{
	return range->start == announced_reference(announced_number_of(range->start),
						   announced_pid_of(range->start)) &&
	       length_of(range) <= ANNOUNCED_COUNT_MAX;
}

/* ---- who holds ------------------------------------------------------------------------------ */

static int find_pids(struct capture *c)
{
	const struct memoir_snapshot *s = c->snap;
	int err = 0;

	for (uint32_t i = 0; i < s->process_count && !err; i++) {
		const struct memoir_process *p = &s->processes[i];

		err = u64map_set(&c->announced.process_by_pid, (uint64_t)p->pid, i);
		for (uint32_t k = 0; k < p->peer_count && !err; k++)
			err = u64map_set(&c->announced.process_by_pid, (uint64_t)p->peers[k], i);
	}
	return err;
}

/* The process that is said to hold, if that is believed; MEMOIR_NONE: it isn't, or there is none. */
static uint32_t holder_of(const struct saying *s, pid_t pid)
{
	const struct memoir_process *processes = s->c->snap->processes;
	uid_t uid = processes[s->process].uid;
	uint32_t holder;

	if (pid == s->own_pid)
		return s->process;
	holder = s->knows_ours ? u64map_get(&s->c->announced.process_by_pid, (uint64_t)pid)
			       : U64MAP_NONE;
	if (holder == U64MAP_NONE || uid == (uid_t)-1 || (uid != 0 && uid != processes[holder].uid))
		return MEMOIR_NONE;
	return holder;
}

static int add_holder(const struct saying *s, uint32_t object, const struct named_range *range)
{
	struct announced *all = &s->c->announced;
	uint32_t process = holder_of(s, announced_pid_of(range->start));
	struct memoir_holder *holder;

	if (process == MEMOIR_NONE)
		return 0;
	if (all->holders >= HOLDERS_MAX) {
		all->left_out++;
		return 0;
	}
	all->holders++;
	holder = snapshot_add_holder(s->c->snap);
	if (!holder)
		return -ENOMEM;
	*holder =
		(struct memoir_holder){ object, process, MEMOIR_NO_FD, (uint32_t)length_of(range) };
	return 0;
}

/* ---- buffers -------------------------------------------------------------------------------- */

/* Of nothing it is known what is in RAM: that it is nobody's rss, or whose, is not even said. */
static int add_object(const struct saying *s, const struct named_range *range, uint32_t *ret_object)
{
	struct memoir_snapshot *snap = s->c->snap;
	const struct memoir_process *by = &snap->processes[s->process];
	const char *tag = *range->name ? snapshot_string(snap, range->name) : NULL;
	struct memoir_object *object = snapshot_add_object(snap);

	if (!object || (*range->name && !tag))
		return -ENOMEM;
	*ret_object = (uint32_t)(snap->object_count - 1);
	*object = (struct memoir_object){
		.kind = MEMOIR_KIND_ANNOUNCED,
		.inode = (uint64_t)by->pid << 20 | announced_number_of(range->start),
		.size_bytes = length_of(range),
		.links = MEMOIR_NONE,
		.tag = tag,
		.exporter = by->comm,
	};
	return 0;
}

/* References are in the order of the buffers. */
static int add_buffer(const struct saying *s, const struct named_range *range,
		      const struct named_range **reference)
{
	uint32_t number = announced_number_of(range->start), object = MEMOIR_NONE;
	int err = add_object(s, range, &object);

	while (*reference < s->end &&
	       announced_sort_of((*reference)->start) == ANNOUNCED_REFERENCE &&
	       announced_number_of((*reference)->start) < number)
		(*reference)++;
	for (; !err && *reference < s->end &&
	       announced_sort_of((*reference)->start) == ANNOUNCED_REFERENCE &&
	       announced_number_of((*reference)->start) == number;
	     (*reference)++)
		if (is_reference(*reference))
			err = add_holder(s, object, *reference);
	return err;
}

static int add_buffers(const struct saying *s)
{
	struct announced *all = &s->c->announced;
	const struct named_range *at = skip_to(s, ANNOUNCED_BUFFER);
	const struct named_range *reference = skip_to(s, ANNOUNCED_REFERENCE);
	int err = all->process_by_pid.used ? 0 : find_pids(s->c);

	for (; at < s->end && announced_sort_of(at->start) == ANNOUNCED_BUFFER && !err; at++) {
		if (!is_buffer(at))
			continue;
		if (all->buffers >= BUFFERS_MAX) {
			all->left_out++;
			continue;
		}
		all->buffers++;
		err = add_buffer(s, at, &reference);
	}
	return err;
}

/* ---- tags of files -------------------------------------------------------------------------- */

static int add_tags(const struct saying *s)
{
	struct announced *all = &s->c->announced;

	for (const struct named_range *at = skip_to(s, ANNOUNCED_TAG); at < s->end; at++) {
		struct announced_tag *tags;
		const char *tag;

		if (length_of(at) != 1 || !*at->name)
			continue;
		if (all->tag_count >= TAGS_MAX) {
			all->left_out++;
			continue;
		}
		tag = snapshot_string(s->c->snap, at->name);
		tags = grow(all->tags, &all->tag_room, all->tag_count + 1, sizeof(*tags));
		if (tags)
			all->tags = tags;
		if (!tag || !tags)
			return -ENOMEM;
		tags[all->tag_count++] = (struct announced_tag){ at->start, s->process, tag };
	}
	return 0;
}

static int compare_tags(const void *left, const void *right)
{
	const struct announced_tag *a = left, *b = right;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	return (a->file > b->file) - (a->file < b->file);
}

void announced_sort_tags(struct announced *announced)
{
	if (announced->tag_count)
		qsort(announced->tags, announced->tag_count, sizeof(*announced->tags),
		      compare_tags);
}

const char *announced_find_tag(const struct announced *announced, uint32_t process, uint64_t file)
{
	const struct announced_tag key = { .file = file, .process = process };
	const struct announced_tag *found =
		announced->tag_count ? bsearch(&key, announced->tags, announced->tag_count,
					       sizeof(key), compare_tags)
				     : NULL;

	return found ? found->tag : NULL;
}

/* ---- the whole ------------------------------------------------------------------------------ */

int announced_take(struct capture *c, uint32_t process, const struct names_table *table)
{
	struct saying s = {
		.c = c,
		.process = process,
		.at = table->announced,
		.end = table->announced + table->announced_count,
	};
	int err;

	if (!table->announced_count || table->subject || !capture_wants_buffers(c))
		return 0;
	err = add_tags(&s);
	/* Gone meanwhile. */
	if (err || process_own_pid(c->memoir->root, c->snap->processes[process].pid, &s.own_pid,
				   &s.knows_ours) < 0)
		return err;
	return is_own(&s) ? add_buffers(&s) : 0;
}

int announced_note(struct capture *c)
{
	if (!c->announced.left_out)
		return 0;
	return snapshot_note(
		c->snap,
		"%zu of what processes announce of their buffers is left out: at most %u "
		"buffers, %u holders and %u tags are taken",
		c->announced.left_out, BUFFERS_MAX, HOLDERS_MAX, TAGS_MAX);
}

void announced_free(struct announced *announced)
{
	u64map_free(&announced->process_by_pid);
	free(announced->tags);
	*announced = (struct announced){ 0 };
}
