// SPDX-License-Identifier: MIT
/*
 * Names from the name tables of processes, put on regions of private anonymous memory that are there; what
 * a table says of other memory is passed over.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/grow.h"
#include "kernel/memory.h"
#include "names/reader.h"
#include "snapshot/capture.h"

/* What all tables of a capture may take together, so that many large ones can't stop it. */
#define ALL_TABLES_MAX (1ull << 30)

struct later {
	uint32_t anchor; /* its region */
	bool tried;
};

struct naming {
	struct capture *c;
	uint32_t process; /* whose table is read */
	uint32_t anchor;  /* the region by which it was found */
	bool of_others;   /* those about others are read now */
	int memory_fd;    /* of that process */
	uint64_t read_bytes;
	uint8_t *named;     /* by process: has names by a table already */
	const char **names; /* the snapshot's, of the table */
	size_t name_room;
	struct later *later; /* tables about others */
	size_t later_count, later_room;
	size_t refused, damaged, newer, changing, unsplit;
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
	const struct naming *n = arg;
	const struct memoir_process *p = &n->c->snap->processes[n->process];
	uint64_t end;

	if (__builtin_add_overflow(addr, bytes, &end))
		return false;
	for (uint32_t i = region_at(n->c, n->process, addr);
	     addr < end && i < p->first_region + p->region_count; i++) {
		const struct memoir_region *region = &n->c->snap->regions[i];

		if (region->start > addr || !capture_is_nameable(region))
			return false;
		addr = region->end;
	}
	return addr >= end;
}

static int read_table(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	struct naming *n = arg;

	if (n->read_bytes + bytes > ALL_TABLES_MAX)
		return -EFBIG;
	n->read_bytes += bytes;
	return memory_read(n->memory_fd, addr, buffer, bytes);
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
static uint32_t subject_of(const struct naming *n, const struct names_table *table)
{
	const struct memoir_snapshot *s = n->c->snap;
	uid_t writer = s->processes[n->process].uid;

	if (!table->subject)
		return n->process;
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

/*
 * That it vanished meanwhile is normal; all else is counted, to be said. Not of processes that nobody asked
 * for: then any of them could spoil every answer.
 */
static int note_failure(struct naming *n, int err)
{
	if (!n->c->snap->processes[n->process].in_scope)
		return err == -ENOMEM ? err : 0;
	n->refused += err == -EPERM || err == -EACCES;
	n->damaged += err == -EBADMSG || err == -EFBIG;
	n->newer += err == -EPROTONOSUPPORT;
	n->changing += err == -EAGAIN;
	return err == -ENOMEM ? err : 0;
}

static int put_off(struct naming *n, uint32_t anchor, bool tried)
{
	struct later *later = grow(n->later, &n->later_room, n->later_count + 1, sizeof(*later));

	if (!later)
		return -ENOMEM;
	n->later = later;
	later[n->later_count++] = (struct later){ anchor, tried };
	return 0;
}

/* What a process says of itself comes before what others say of it; what nobody asked for is not read. */
static int is_wanted(void *arg, const struct names_table *table)
{
	struct naming *n = arg;
	uint32_t subject;

	if (table->subject && !n->of_others)
		return put_off(n, n->anchor, table->tried);
	subject = subject_of(n, table);
	return subject != MEMOIR_NONE && !n->named[subject] &&
	       n->c->snap->processes[subject].in_scope;
}

static int take_open_table(struct naming *n)
{
	const struct names_source source = {
		.read = read_table,
		.is_private = table_is_private,
		.is_wanted = is_wanted,
		.arg = n,
	};
	struct names_table table = { 0 };
	int err = names_read(&source, n->c->snap->regions[n->anchor].start, &table);

	if (err)
		return err == -ECANCELED ? 0 : note_failure(n, err);
	if (!n->c->options.without_pages)
		err = name_process(n, subject_of(n, &table), &table);
	if (!err)
		err = announced_take(n->c, n->process, &table);
	names_table_free(&table);
	return err;
}

static int take_table(struct naming *n, uint32_t anchor)
{
	int err;

	n->anchor = anchor;
	n->process = n->c->snap->regions[anchor].process;
	if (!n->c->snap->processes[n->process].readable)
		return 0;
	n->memory_fd = memory_open(n->c->memoir->root, (pid_t)n->c->notes[n->process].tid);
	if (n->memory_fd < 0)
		return note_failure(n, n->memory_fd);
	err = take_open_table(n);
	close(n->memory_fd);
	return err;
}

static int take_tables(struct naming *n, size_t regions)
{
	int err = 0;

	for (uint32_t i = 0; i < regions && !err; i++)
		if (capture_is_anchor(n->c, &n->c->snap->regions[i]))
			err = take_table(n, i);
	n->of_others = true;
	/* Names that a process was given come before such as it was refused. */
	for (int tried = 0; tried < 2; tried++)
		for (size_t i = 0; i < n->later_count && !err; i++)
			if (n->later[i].tried == tried)
				err = take_table(n, n->later[i].anchor);
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
	err = n.named ? take_tables(&n, c->snap->region_count) : -ENOMEM;
	free(n.named);
	free((void *)n.names);
	free(n.later);
	if (!err)
		err = announced_note(c);
	return err ? err : say_what_failed(&n);
}
