// SPDX-License-Identifier: MIT
/*
 * Names from the name tables of processes, put on regions of private anonymous memory that are there; what
 * a table says of other memory is passed over.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crew.h"
#include "base/grow.h"
#include "kernel/memory.h"
#include "names/reader.h"
#include "snapshot/capture.h"

/* What all tables of a capture may take together, so that many large ones can't stop it. */
#define ALL_TABLES_MAX (1ull << 30)
#define FEW_TABLES 8 /* read before another thread has begun */

/* A table, by what it is found by. */
struct found {
	uint32_t anchor; /* its region */
	uint32_t process;
	bool is_later, tried; /* about others: read when all have spoken for themselves */
	int error;            /* -ECANCELED: it is not read */
	struct names_table table;
};

struct naming {
	struct capture *c;
	uint64_t read_bytes; /* by all threads */
	struct found *found;
	size_t found_count, found_room;
	size_t next;        /* to be read, of all threads */
	uint8_t *named;     /* by process: has names by a table already */
	const char **names; /* the snapshot's, of one table */
	size_t name_room;
	size_t refused, damaged, newer, changing, unsplit;
};

/* One table being read. */
struct opened {
	struct naming *n;
	struct found *found;
	int memory_fd; /* of its process */
};

/* ---- where tables are ----------------------------------------------------------------------- */

bool capture_is_nameable(const struct memoir_region *region)
{
	return region->object == MEMOIR_NONE && region->perms[3] == 'p' &&
	       (region->kind == MEMOIR_KIND_ANON || region->kind == MEMOIR_KIND_HEAP ||
		region->kind == MEMOIR_KIND_STACK);
}

bool capture_is_anchor(struct capture *c, const struct memoir_region *region)
{
	const char **paths = c->anchor_paths;

	if (!paths[0]) {
		paths[0] = snapshot_string(c->snap, "/memfd:memoir-names (deleted)");
		paths[1] = snapshot_string(c->snap, "/memfd:memoir-names");
	}
	/* Strings of a snapshot are interned. */
	return region->path && region->perms[3] == 'p' &&
	       (region->path == paths[0] || region->path == paths[1]);
}

/* The first region of the process that ends behind an address; the index behind its last: none. */
static uint32_t region_at(const struct capture *c, uint32_t process, uint64_t addr)
{
	const struct memoir_process *p = &c->snap->processes[process];
	uint32_t from = p->first_region, to = from + p->region_count;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (c->snap->regions[middle].end <= addr)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool table_is_private(void *arg, uint64_t addr, uint64_t bytes)
{
	const struct opened *opened = arg;
	const struct capture *c = opened->n->c;
	const struct memoir_process *p = &c->snap->processes[opened->found->process];
	uint64_t end;

	if (__builtin_add_overflow(addr, bytes, &end))
		return false;
	for (uint32_t i = region_at(c, opened->found->process, addr);
	     addr < end && i < p->first_region + p->region_count; i++) {
		const struct memoir_region *region = &c->snap->regions[i];

		if (region->start > addr || !capture_is_nameable(region))
			return false;
		addr = region->end;
	}
	return addr >= end;
}

static int read_table(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	struct opened *opened = arg;

	/* What is refused is not read: a table that claims too much is no reason to refuse all others. */
	if (__atomic_add_fetch(&opened->n->read_bytes, bytes, __ATOMIC_RELAXED) > ALL_TABLES_MAX) {
		__atomic_sub_fetch(&opened->n->read_bytes, bytes, __ATOMIC_RELAXED);
		return -EFBIG;
	}
	return memory_read(opened->memory_fd, addr, buffer, bytes);
}

/* ---- parts of a region ---------------------------------------------------------------------- */

/* Of a region whose first part this is: up to the next one, or its end. */
static int add_part(struct region_splits *splits, size_t first, uint64_t start, const char *name)
{
	size_t count = splits->part_count;
	struct region_part *parts;

	if (count > first && splits->parts[count - 1].name == name)
		return 0;
	parts = grow(splits->parts, &splits->part_room, count + 1, sizeof(*parts));
	if (!parts || count >= MEMOIR_NONE)
		return -ENOMEM;
	splits->parts = parts;
	parts[splits->part_count++] = (struct region_part){ .start = start, .name = name };
	return 0;
}

/* By the ranges of the table from *i on that lie in the region. */
static int make_parts(struct naming *n, const struct memoir_region *region,
		      const struct names_table *table, size_t *i)
{
	struct region_splits *splits = &n->c->snap->splits;
	size_t first = splits->part_count;
	uint64_t at = region->start;
	int err = 0;

	while (*i < table->count && table->ranges[*i].end <= region->start)
		(*i)++;
	for (size_t k = *i; k < table->count && table->ranges[k].start < region->end && !err; k++) {
		const struct named_range *range = &table->ranges[k];

		if (range->start > at)
			err = add_part(splits, first, at, NULL);
		if (range->start > at)
			at = range->start;
		if (range->end > at && !err)
			err = add_part(splits, first, at, n->names[range->number]);
		if (range->end > at)
			at = range->end;
	}
	return err || at >= region->end ? err : add_part(splits, first, at, NULL);
}

/* ---- naming --------------------------------------------------------------------------------- */

static int name_region(struct naming *n, uint32_t i, const struct names_table *table, size_t *range,
		       enum memoir_name_source source)
{
	struct memoir_region *region = &n->c->snap->regions[i];
	struct region_splits *splits = &n->c->snap->splits;
	size_t first = splits->part_count;
	int err = make_parts(n, region, table, range);

	if (!err && splits->part_count > first + 1)
		err = n->c->snap->engine == MEMOIR_ENGINE_SMAPS
			      ? -EOPNOTSUPP
			      : capture_split(n->c, i, (uint32_t)first, source);
	else if (!err && splits->parts[first].name) {
		region->name = splits->parts[first].name;
		region->name_source = source;
	}
	if (err || splits->part_count == first + 1)
		splits->part_count = first;
	n->unsplit += err == -EOPNOTSUPP;
	return err == -EOPNOTSUPP ? 0 : err;
}

/* The snapshot's strings for the table's, each looked up once. */
static int intern(struct naming *n, const struct names_table *table)
{
	const char **names =
		grow((void *)n->names, &n->name_room, table->name_count, sizeof(*names));

	if (!names)
		return -ENOMEM;
	n->names = names;
	for (size_t i = 0; i < table->name_count; i++) {
		names[i] = snapshot_string(n->c->snap, table->names[i]);
		if (!names[i])
			return -ENOMEM;
	}
	return 0;
}

static int name_process(struct naming *n, uint32_t process, const struct names_table *table)
{
	const struct memoir_process *p = &n->c->snap->processes[process];
	uint32_t first = p->first_region, end = first + p->region_count;
	enum memoir_name_source source = !table->subject ? MEMOIR_NAME_TABLE
					 : table->tried  ? MEMOIR_NAME_PRCTL
							 : MEMOIR_NAME_SUPERVISOR;
	size_t i = 0;
	int err;

	if (!p->in_scope || !table->count || n->named[process])
		return 0;
	err = intern(n, table);
	n->named[process] = 1;
	for (uint32_t k = first; k < end && !err; k++) {
		const struct memoir_region *region = &n->c->snap->regions[k];

		/* What the kernel has a name for keeps it. */
		if (capture_is_nameable(region) && !region->name)
			err = name_region(n, k, table, &i, source);
	}
	return err;
}

/* ---- tables --------------------------------------------------------------------------------- */

/* A table about another process is believed if its writer might have written that process's own. */
static uint32_t subject_of(const struct naming *n, uint32_t process,
			   const struct names_table *table)
{
	const struct memoir_snapshot *s = n->c->snap;
	uid_t writer = s->processes[process].uid;

	if (!table->subject)
		return process;
	for (uint32_t i = 0; i < s->process_count; i++) {
		const struct memoir_process *p = &s->processes[i];

		if (p->pid == table->subject)
			return p->start_ticks == table->subject_start_ticks && p->readable &&
					       writer != (uid_t)-1 &&
					       (writer == 0 || writer == p->uid)
				       ? i
				       : MEMOIR_NONE;
	}
	return MEMOIR_NONE;
}

/* What a process says of itself comes before what others say of it; what nobody asked for is not read. */
static int is_wanted(void *arg, const struct names_table *table)
{
	struct opened *opened = arg;
	const struct naming *n = opened->n;
	uint32_t subject;

	if (table->subject && !opened->found->is_later) {
		opened->found->is_later = true;
		opened->found->tried = table->tried;
		return false;
	}
	subject = subject_of(n, opened->found->process, table);
	return subject != MEMOIR_NONE && !n->named[subject] &&
	       n->c->snap->processes[subject].in_scope;
}

static void read_found(struct naming *n, struct found *found)
{
	struct opened opened = { .n = n, .found = found };
	const struct names_source source = {
		.read = read_table,
		.is_private = table_is_private,
		.is_wanted = is_wanted,
		.arg = &opened,
	};

	opened.memory_fd = memory_open(n->c->memoir->root, (pid_t)n->c->notes[found->process].tid);
	found->error = opened.memory_fd;
	if (opened.memory_fd < 0)
		return;
	found->error = names_read(&source, n->c->snap->regions[found->anchor].start, &found->table);
	close(opened.memory_fd);
}

/* Done by each thread. */
static void read_in_turn(void *arg)
{
	struct naming *n = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&n->next, 1, __ATOMIC_RELAXED)) < n->found_count)
		read_found(n, &n->found[i]);
}

/*
 * That it vanished meanwhile is normal; all else is counted, to be said. Not of processes that nobody asked
 * for: then any of them could spoil every answer.
 */
static int note_failure(struct naming *n, uint32_t process, int err)
{
	if (!n->c->snap->processes[process].in_scope)
		return err == -ENOMEM ? err : 0;
	n->refused += err == -EPERM || err == -EACCES;
	n->damaged += err == -EBADMSG || err == -EFBIG;
	n->newer += err == -EPROTONOSUPPORT;
	n->changing += err == -EAGAIN;
	return err == -ENOMEM ? err : 0;
}

static int take_found(struct naming *n, struct found *found)
{
	struct names_table *table = &found->table;
	uint32_t subject;
	int err = 0;

	if (found->error)
		return found->error == -ECANCELED ? 0
						  : note_failure(n, found->process, found->error);
	subject = subject_of(n, found->process, table);
	/* A process may have two. */
	if (n->named[subject])
		return 0;
	if (!n->c->options.without_pages)
		err = name_process(n, subject, table);
	if (!err)
		err = announced_take(n->c, found->process, table);
	names_table_free(table);
	return err;
}

static int find_tables(struct naming *n)
{
	const struct memoir_snapshot *s = n->c->snap;

	for (uint32_t i = 0; i < s->region_count; i++) {
		const uint32_t process = s->regions[i].process;
		struct found *found;

		if (!n->c->notes[process].anchored || !s->processes[process].readable) {
			i = s->processes[process].first_region +
			    s->processes[process].region_count - 1;
			continue;
		}
		if (!capture_is_anchor(n->c, &s->regions[i]))
			continue;
		found = grow(n->found, &n->found_room, n->found_count + 1, sizeof(*found));
		if (!found)
			return -ENOMEM;
		n->found = found;
		found[n->found_count++] = (struct found){ .anchor = i, .process = process };
	}
	return 0;
}

static int take_tables(struct naming *n)
{
	int err = find_tables(n);

	if (!err && n->found_count)
		crew_run(n->found_count < FEW_TABLES ? 1 : n->c->memoir->threads, read_in_turn, n);
	for (size_t i = 0; i < n->found_count && !err; i++)
		if (!n->found[i].is_later)
			err = take_found(n, &n->found[i]);
	/* Names that a process was given come before such as it was refused. */
	for (int tried = 0; tried < 2; tried++)
		for (size_t i = 0; i < n->found_count && !err; i++)
			if (n->found[i].is_later && n->found[i].tried == tried) {
				read_found(n, &n->found[i]);
				err = take_found(n, &n->found[i]);
			}
	return err;
}

static int say_what_failed(const struct naming *n)
{
	struct memoir_snapshot *s = n->c->snap;
	int err = 0;

	if (n->refused)
		err = snapshot_note(
			s,
			"the names of %zu process%s may not be read: run memoir as root, or "
			"with CAP_SYS_PTRACE",
			n->refused, n->refused == 1 ? "" : "es");
	if (!err && n->damaged)
		err = snapshot_note(s, "%zu name table%s not as it should be, and was not believed",
				    n->damaged, n->damaged == 1 ? " is" : "s are");
	if (!err && n->newer)
		err = snapshot_note(s, "%zu name table%s of a newer version of memoir", n->newer,
				    n->newer == 1 ? " is" : "s are");
	if (!err && n->changing)
		err = snapshot_note(s, "%zu name table%s changed faster than it could be read",
				    n->changing, n->changing == 1 ? "" : "s");
	if (!err && n->unsplit)
		err = snapshot_note(
			s,
			"%zu region%s of which only parts have names could not be split: "
			"page frames are hidden from this user",
			n->unsplit, n->unsplit == 1 ? "" : "s");
	return err;
}

bool capture_wants_names(const struct capture *c)
{
	return kroot_is_live(c->memoir->root) && !c->options.without_names;
}

int capture_names(struct capture *c)
{
	struct naming n = { .c = c };
	int err;

	if (!capture_wants_names(c))
		return 0;
	n.named = calloc(c->snap->process_count + 1, 1);
	err = n.named ? take_tables(&n) : -ENOMEM;
	for (size_t i = 0; i < n.found_count; i++)
		names_table_free(&n.found[i].table);
	free(n.found);
	free(n.named);
	free((void *)n.names);
	if (!err)
		err = announced_note(c);
	return err ? err : say_what_failed(&n);
}
