// SPDX-License-Identifier: MIT
/*
 * From what the kernel side saw, in its order, to a table about each program; decides what is kept.
 */
#include "names/watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/memory.h"
#include "kernel/process.h"
#include "names/several.h"
#include "names/system.h"

#define BUCKETS 1024u
#define NS_PER_TICK 10000000u /* as /proc/PID/stat counts */

struct program {
	struct program *next;
	struct name_subject about;
	uint64_t life; /* see kernel/watch.h */
	bool counted;
	struct table_aside table;
};

struct watched {
	struct kroot *root;
	struct watch *watch;
	watched_fn each;
	void *arg;
	struct program *buckets[BUCKETS]; /* by pid */
	size_t program_count;
	uint64_t ranges;       /* of all programs */
	uint64_t changes_lost; /* when all was last compared with the kernel side */
	uint64_t page_bytes;
	struct watched_counts counts;
};

/* ---- programs ------------------------------------------------------------------------------- */

static struct program **place_of(struct watched *watched, uint32_t tgid)
{
	struct program **at = &watched->buckets[tgid % BUCKETS];

	while (*at && (*at)->about.pid != (int32_t)tgid)
		at = &(*at)->next;
	return at;
}

static void drop(struct watched *watched, struct program **at)
{
	struct program *program = *at;

	*at = program->next;
	watched->program_count--;
	watched->ranges -= several_ranges(&program->table);
	several_drop(&program->table);
	free(program);
}

/* The program in the life that the record is from; one of an earlier life is of no more use. */
static struct program *find(struct watched *watched, uint32_t tgid, uint64_t life)
{
	struct program **at = place_of(watched, tgid);

	if (*at && (*at)->life != life)
		drop(watched, at);
	return *at;
}

static struct program *add(struct watched *watched, const struct watch_record *record)
{
	struct program *program = find(watched, record->tgid, record->life);

	if (program)
		return program;
	if (watched->program_count >= WATCHED_PROCESSES_MAX)
		return NULL;
	program = calloc(1, sizeof(*program));
	if (!program)
		return NULL;
	program->about = (struct name_subject){
		.pid = (int32_t)record->tgid,
		.how = NAME_HOW_TRIED,
		.start_ticks = record->start_ns / NS_PER_TICK,
	};
	program->life = record->life;
	program->table.space.segments_max = WATCHED_SEGMENTS;
	program->next = watched->buckets[record->tgid % BUCKETS];
	watched->buckets[record->tgid % BUCKETS] = program;
	watched->program_count++;
	return program;
}

/* ---- changes -------------------------------------------------------------------------------- */

static int set(struct watched *watched, struct program *program, uint64_t start, uint64_t end,
	       const char *name)
{
	uint64_t before = several_ranges(&program->table);
	int err;

	if (name && watched->ranges >= WATCHED_RANGES_MAX)
		return -ENOSPC;
	err = several_set(&program->table, &program->about, start, end, name);
	watched->ranges += several_ranges(&program->table) - before;
	return err;
}

static bool to_end(const struct watched *watched, uint64_t start, uint64_t bytes, uint64_t *ret_end)
{
	uint64_t mask = watched->page_bytes - 1;

	return !__builtin_add_overflow(bytes, mask, &bytes) &&
	       !__builtin_add_overflow(start, bytes & ~mask, ret_end);
}

static void on_unmap(struct watched *watched, const struct watch_record *record)
{
	struct program *program = find(watched, record->tgid, record->life);
	uint64_t end;

	if (program && to_end(watched, record->start, record->bytes, &end))
		set(watched, program, record->start, end, NULL);
}

static void on_move(struct watched *watched, const struct watch_record *record)
{
	struct program *program = find(watched, record->tgid, record->life);
	uint64_t end, to_end_at, before;

	if (!program || !record->bytes || !to_end(watched, record->start, record->bytes, &end) ||
	    !to_end(watched, record->to, record->to_bytes, &to_end_at))
		return;
	before = several_ranges(&program->table);
	several_move(&program->table, record->start, end, record->to, to_end_at - record->to);
	watched->ranges += several_ranges(&program->table) - before;
}

static void on_fork(struct watched *watched, const struct watch_record *record)
{
	struct program *parent = find(watched, record->other_tgid, record->other_life), *child;

	/* What an earlier process of this pid has is of no more use, whatever the parent has. */
	find(watched, record->tgid, record->life);
	if (!parent || !several_ranges(&parent->table))
		return;
	if (watched->ranges + several_ranges(&parent->table) > WATCHED_RANGES_MAX) {
		watched->counts.too_many += several_ranges(&parent->table);
		return;
	}
	child = add(watched, record);
	if (!child)
		watched->counts.too_many += several_ranges(&parent->table);
	else
		several_copy(&child->table, &child->about, &parent->table);
	watched->ranges += child ? several_ranges(&child->table) : 0;
}

static void on_gone(struct watched *watched, const struct watch_record *record)
{
	struct program **at = place_of(watched, record->tgid);

	if (*at && (*at)->life == record->life)
		drop(watched, at);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* The kernel side may not wait for the page that the name is on: it is read from here, if there is time. */
static int read_late(const struct watched *watched, const struct watch_record *record, char *name,
		     size_t size)
{
	struct process_stat stat;
	int fd = memory_open(watched->root, (pid_t)record->tgid), err;

	if (fd < 0)
		return fd;
	err = memory_read_text(fd, record->name_addr, name, size);
	/* That memory was the same process's as long as that one is there. */
	if (!err && (process_stat(watched->root, (pid_t)record->tgid, &stat) < 0 ||
		     stat.start_ticks != record->start_ns / NS_PER_TICK))
		err = -ESRCH;
	close(fd);
	return err;
}

/* What the kernel says without CONFIG_ANON_VMA_NAME, and what seccomp filters say. */
static bool is_refusal(int answer)
{
	return answer == -EINVAL || answer == -EPERM || answer == -EACCES || answer == -ENOSYS;
}

static enum watched_what keep(struct watched *watched, const struct watched_name *seen)
{
	const struct watch_record *record = seen->record;
	struct program *program;

	if (record->start % watched->page_bytes || seen->end < record->start ||
	    (seen->name && (strlen(seen->name) > NAME_TEXT_MAX ||
			    !name_is_valid(seen->name, strlen(seen->name)))))
		return WATCHED_INVALID;
	if (seen->end == record->start)
		return seen->name ? WATCHED_KEPT : WATCHED_CLEARED;
	program = seen->name ? add(watched, record) : find(watched, record->tgid, record->life);
	if (!program)
		return seen->name ? WATCHED_TOO_MANY : WATCHED_CLEARED;
	watched->counts.programs += !program->counted;
	program->counted = true;
	if (set(watched, program, record->start, seen->end, seen->name) < 0)
		return WATCHED_TOO_MANY;
	return seen->name ? WATCHED_KEPT : WATCHED_CLEARED;
}

static void on_name(struct watched *watched, const struct watch_record *record, const char *name)
{
	struct watched_name seen = { record, record->start_ns / NS_PER_TICK, record->start,
				     record->name_addr ? name : NULL, WATCHED_UNREADABLE };
	char late[WATCH_NAME_BYTES];
	int err = 0;

	if (!to_end(watched, record->start, record->bytes, &seen.end))
		seen.end = 0;
	if (record->name_addr && record->name_bytes <= 0) {
		err = read_late(watched, record, late, sizeof(late));
		seen.name = late;
	}
	if (err == -EINVAL)
		seen.what = WATCHED_INVALID;
	else if (!record->answer)
		seen.what = WATCHED_BY_KERNEL;
	else if (!err)
		seen.what = is_refusal(record->answer) ? keep(watched, &seen) : WATCHED_FAILED;
	if (err)
		seen.name = NULL;
	watched->counts.names++;
	watched->counts.by_kernel += seen.what == WATCHED_BY_KERNEL;
	watched->counts.kept += seen.what == WATCHED_KEPT;
	watched->counts.unreadable += seen.what == WATCHED_UNREADABLE;
	watched->counts.too_many += seen.what == WATCHED_TOO_MANY;
	watched->each(&seen, watched->arg);
}

static void on_record(const struct watch_record *record, const char *name, void *arg)
{
	static void (*const changes[])(struct watched *, const struct watch_record *) = {
		[WATCH_UNMAP] = on_unmap,
		[WATCH_MOVE] = on_move,
		[WATCH_FORK] = on_fork,
		[WATCH_GONE] = on_gone,
	};

	if (record->what == WATCH_NAME)
		on_name(arg, record, name);
	else if (record->what < sizeof(changes) / sizeof(changes[0]))
		changes[record->what](arg, record);
}

/* ---- the whole ------------------------------------------------------------------------------ */

int watched_open(watched_fn each, void *arg, struct watched **ret_watched,
		 struct memoir_error *error)
{
	struct watched *watched = calloc(1, sizeof(*watched));
	int err = -ENOMEM;

	if (!watched)
		return error_set(error, err, "out of memory");
	watched->each = each;
	watched->arg = arg;
	watched->page_bytes = system_page_bytes();
	err = kroot_open(NULL, &watched->root);
	if (!err)
		err = watch_open(watched->root, &watched->watch, error);
	if (err) {
		watched_close(watched);
		return err;
	}
	*ret_watched = watched;
	return 0;
}

void watched_close(struct watched *watched)
{
	if (!watched)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (watched->buckets[i])
			drop(watched, &watched->buckets[i]);
	watch_close(watched->watch);
	kroot_close(watched->root);
	free(watched);
}

int watched_fd(const struct watched *watched)
{
	return watch_fd(watched->watch);
}

bool watched_is_light(const struct watched *watched)
{
	return watch_is_light(watched->watch);
}

/* The end of a life may be among what was lost: the kernel side knows all the same. */
static void drop_ended(struct watched *watched)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct program **at = &watched->buckets[i]; *at;) {
			if (watch_life(watched->watch, (uint32_t)(*at)->about.pid) != (*at)->life)
				drop(watched, at);
			else
				at = &(*at)->next;
		}
}

size_t watched_work(struct watched *watched, size_t most)
{
	size_t count = watch_read(watched->watch, most, on_record, watched);
	uint64_t lost = watch_lost(watched->watch).changes;

	if (count < most && lost != watched->changes_lost) {
		watched->changes_lost = lost;
		drop_ended(watched);
	}
	return count;
}

struct watched_counts watched_counts(const struct watched *watched)
{
	return watched->counts;
}

struct watch_lost watched_lost(const struct watched *watched)
{
	return watch_lost(watched->watch);
}
