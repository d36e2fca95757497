// SPDX-License-Identifier: MIT
/*
 * Opens and follows one program, and writes its table; decides nothing about when.
 */
#include "names/subject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/memory.h"
#include "kernel/pidfd.h"
#include "kernel/process.h"
#include "names/system.h"

/* ---- coming and going ----------------------------------------------------------------------- */

static void close_memory(struct subject *subject)
{
	if (subject->memory >= 0)
		close(subject->memory);
	if (subject->maps >= 0)
		close(subject->maps);
	subject->memory = subject->maps = -1;
}

/* Without the random bytes nothing is inherited; all else works. */
static void read_random(const struct kroot *root, pid_t tid, struct subject *subject)
{
	subject->random_at = 0;
	if (process_random_at(root, tid, &subject->random_at) < 0 ||
	    memory_read(subject->memory, subject->random_at, subject->random,
			sizeof(subject->random)) < 0)
		subject->random_at = 0;
}

static int open_memory(const struct kroot *root, pid_t tid, struct subject *subject)
{
	subject->memory = memory_open(root, tid);
	if (subject->memory < 0)
		return subject->memory;
	subject->maps = process_maps_open(root, tid);
	if (subject->maps < 0) {
		int err = subject->maps;

		close_memory(subject);
		return err;
	}
	read_random(root, tid, subject);
	return 0;
}

static int open_all(const struct kroot *root, pid_t tid, struct subject *subject)
{
	struct process_stat stat;
	int err;

	subject->pidfd = pidfd_of(subject->pid);
	if (subject->pidfd < 0)
		return subject->pidfd;
	err = process_stat(root, subject->pid, &stat);
	if (err)
		return err;
	subject->start_ticks = stat.start_ticks;
	err = open_memory(root, tid, subject);
	/* All of this was about the same process if that one is still there. */
	return err ? err : pidfd_lives(subject->pidfd) ? 0 : -ESRCH;
}

int subject_open(const struct kroot *root, pid_t pid, pid_t tid, struct subject **ret_subject)
{
	struct subject *subject = calloc(1, sizeof(*subject));
	int err;

	if (!subject)
		return -ENOMEM;
	subject->pid = pid;
	subject->pidfd = subject->memory = subject->maps = -1;
	subject->table.space.segments_max = SUBJECT_SEGMENTS;
	err = open_all(root, tid, subject);
	if (err) {
		subject_free(subject);
		return err;
	}
	*ret_subject = subject;
	return 0;
}

void subject_free(struct subject *subject)
{
	if (!subject)
		return;
	several_drop(&subject->table);
	close_memory(subject);
	if (subject->pidfd >= 0)
		close(subject->pidfd);
	free(subject);
}

bool subject_is_as_it_was(const struct subject *subject)
{
	uint8_t byte;

	return memory_read(subject->memory, subject->random_at, &byte, 1) != -ESRCH;
}

int subject_renew(const struct kroot *root, pid_t tid, struct subject *subject)
{
	several_drop(&subject->table);
	close_memory(subject);
	return open_memory(root, tid, subject);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* name: NULL takes it away. */
static int set(struct subject *subject, uint64_t start, uint64_t end, const char *name)
{
	struct name_subject about = { subject->pid, NAME_HOW_GIVEN, subject->start_ticks };

	return several_set(&subject->table, &about, start, end, name);
}

int subject_inherit(struct subject *subject, struct subject *parent)
{
	struct name_subject about = { subject->pid, NAME_HOW_GIVEN, subject->start_ticks };
	uint8_t now[sizeof(parent->random)], there[sizeof(parent->random)];

	/* The bytes are those of the same exec: the child has not called it, nor the parent since. */
	if (!parent->random_at ||
	    memory_read(parent->memory, parent->random_at, now, sizeof(now)) < 0 ||
	    memory_read(subject->memory, parent->random_at, there, sizeof(there)) < 0 ||
	    memcmp(now, there, sizeof(now)) != 0)
		return -EXDEV;
	return several_copy(&subject->table, &about, &parent->table);
}

/* ---- a call --------------------------------------------------------------------------------- */

/* The range in whole pages: 0, or -EINVAL. */
static int whole_pages(const struct naming_call *call, uint64_t *ret_end)
{
	uint64_t mask = system_page_bytes() - 1, bytes = (call->bytes + mask) & ~mask;

	if (call->start & mask || (call->bytes && !bytes) ||
	    __builtin_add_overflow(call->start, bytes, ret_end))
		return -EINVAL;
	return 0;
}

struct piece_of {
	struct subject *subject;
	const char *name;
};

static int name_piece(uint64_t start, uint64_t end, void *arg)
{
	const struct piece_of *piece = arg;

	return set(piece->subject, start, end, piece->name);
}

int subject_name(const struct kroot *root, struct subject *subject, const struct naming_call *call,
		 struct kbuf *text)
{
	char name[NAME_TEXT_MAX + 1];
	struct piece_of piece = { subject, call->name ? name : NULL };
	struct areas areas = { root, call->tid, subject->maps, text };
	uint64_t end;
	int err =
		call->name ? memory_read_text(subject->memory, call->name, name, sizeof(name)) : 0;

	if (err)
		return err;
	if (call->name && !name_is_valid(name, strlen(name)))
		return -EINVAL;
	err = whole_pages(call, &end);
	if (err || end == call->start)
		return err;
	return areas_each(&areas, call->start, end, name_piece, &piece);
}

#define SOME 64

/* ---- what is gone --------------------------------------------------------------------------- */

/* The parts of a range that lie in no area; areas before *i all end before it. */
static int drop_outside(struct subject *subject, const struct taken_range *range,
			const struct area_list *areas, size_t *i)
{
	uint64_t at = range->start;
	int err = 0;

	while (*i < areas->count && areas->items[*i].end <= at)
		(*i)++;
	for (size_t k = *i; at < range->end && !err; k++) {
		const struct area *area = k < areas->count ? &areas->items[k] : NULL;
		uint64_t end = area && area->start < range->end ? area->start : range->end;

		if (at < end)
			err = set(subject, at, end, NULL);
		at = area ? area->end : range->end;
	}
	return err;
}

int subject_prune(const struct kroot *root, struct subject *subject, struct kbuf *text)
{
	struct areas source = { root, subject->pid, subject->maps, text };
	struct taken_range ranges[SOME];
	struct area_list areas = { 0 };
	size_t i = 0, some;
	uint64_t at = 0;
	int err = areas_list(&source, &areas);

	while (!err && (some = several_some(&subject->table, &at, ranges, SOME)))
		for (size_t k = 0; k < some && !err; k++)
			err = drop_outside(subject, &ranges[k], &areas, &i);
	free(areas.items);
	return err;
}
