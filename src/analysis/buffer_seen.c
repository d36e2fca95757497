// SPDX-License-Identifier: MIT
/*
 * Whether a shared buffer is one that was seen before: ids may be used again, and several may have one.
 */
#include "analysis/buffer_watch.h"

#include <stdlib.h>
#include <string.h>

/* Ids that so many buffers have are not told apart by more than the number of the kernel's order. */
#define SAME_ID_MAX 64u
void seen_free(struct buffer_seen *seen)
{
	if (!seen)
		return;
	free(seen->tag);
	free(seen->holders);
	free(seen);
}

bool seen_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* ---- order ---------------------------------------------------------------------------------- */

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

unsigned int seen_numbers_of(const struct memoir_object *object)
{
	return object->kind == MEMOIR_KIND_SYSV        ? 1
	       : object->kind == MEMOIR_KIND_DRM       ? 2
	       : object->kind == MEMOIR_KIND_ANNOUNCED ? 3
						       : 0;
}

int seen_compare_ids(const struct memoir_object *a, const struct memoir_object *b)
{
	int order = compare(seen_numbers_of(a), seen_numbers_of(b));

	if (!order)
		order = compare(a->dev_major, b->dev_major);
	if (!order)
		order = compare(a->dev_minor, b->dev_minor);
	return order ? order : compare(a->inode, b->inode);
}

int seen_compare_rows(const void *left, const void *right)
{
	const struct memoir_buffer *a = left, *b = right;
	int order = compare(!a->object, !b->object);

	if (order || !a->object)
		return order;
	order = seen_compare_ids(a->object, b->object);
	return order ? order : compare(a->object->alias, b->object->alias);
}

int seen_compare_holders(const void *left, const void *right)
{
	const struct holder_seen *a = left, *b = right;
	int order = compare((uint32_t)a->pid, (uint32_t)b->pid);

	return order ? order : compare(a->start_ticks, b->start_ticks);
}

/* ---- one and the same ----------------------------------------------------------------------- */

static bool have_holder_in_common(const struct buffer_seen *seen, const struct memoir_buffer *row)
{
	for (uint32_t i = 0; i < row->holder_count; i++) {
		const struct holder_seen key = {
			.pid = row->holders[i].process->pid,
			.start_ticks = row->holders[i].process->start_ticks,
		};

		if (seen->holder_count && bsearch(&key, seen->holders, seen->holder_count,
						  sizeof(key), seen_compare_holders))
			return true;
	}
	return false;
}

/* More than all else. */
#define LIKE_HELD 4u

/* How much speaks for it that a row is this buffer; 0: it is another one, which has got its id. */
static unsigned int likeness(const struct buffer_seen *seen, const struct memoir_buffer *row)
{
	unsigned int held = have_holder_in_common(seen, row),
		     called = seen_same_text(seen->tag, row->tag);

	if (seen->object.kind != row->object->kind)
		return 0;
	/* One that nobody has is no other one for that. */
	if (!held && !called && seen->holder_count && row->holder_count)
		return 0;
	return 1 + LIKE_HELD * held + 2 * called + (seen->object.alias == row->object->alias);
}

/* Mostly they are the same ones in the same order. */
static size_t find_alias(struct buffer_seen *const *group, size_t count, size_t at, uint32_t alias)
{
	for (size_t i = 0; i < count; i++) {
		size_t k = (at + i) % count;

		if (group[k] && group[k]->object.alias == alias)
			return k;
	}
	return count;
}

static size_t find_likeliest(struct buffer_seen *const *group, size_t count,
			     const struct memoir_buffer *row, bool held)
{
	unsigned int most = held ? LIKE_HELD : 0;
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		unsigned int like = group[i] ? likeness(group[i], row) : 0;

		if (like > most) {
			most = like;
			best = i;
		}
	}
	return best;
}

struct buffer_seen *seen_take_likeliest(struct buffer_seen **group, size_t count, size_t at,
					const struct memoir_buffer *row, bool held)
{
	size_t best = count > SAME_ID_MAX ? find_alias(group, count, at, row->object->alias)
					  : find_likeliest(group, count, row, held);
	struct buffer_seen *seen = best < count ? group[best] : NULL;

	if (seen)
		group[best] = NULL;
	return seen;
}

static bool has_alias(struct buffer_seen *const *group, size_t count, uint32_t alias)
{
	for (size_t i = 0; i < count; i++)
		if (group[i] && group[i]->object.alias == alias)
			return true;
	return false;
}

uint32_t seen_free_alias(struct buffer_seen *const *group, size_t count,
			 struct buffer_seen *const *kept, size_t kept_count, uint32_t wanted)
{
	uint32_t alias = wanted;

	if (count + kept_count > SAME_ID_MAX)
		return wanted;
	while (has_alias(group, count, alias) || has_alias(kept, kept_count, alias))
		alias = alias ? alias + 1 : 2;
	return alias;
}
