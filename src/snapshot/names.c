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
	uint32_t process; /* whose table is read, and which it names */
	int memory_fd;    /* of that process */
	uint64_t read_bytes;
	uint8_t *named;             /* by process: has names by a table already */
	struct named_range *pieces; /* of one region */
	size_t piece_count, piece_room;
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

/* ---- pieces of a region --------------------------------------------------------------------- */

static int add_piece(struct naming *n, uint64_t start, uint64_t end, const char *name)
{
	struct named_range *last = n->piece_count ? &n->pieces[n->piece_count - 1] : NULL;
	struct named_range *pieces;

	if (start >= end)
		return 0;
	if (last && last->name == name) {
		last->end = end;
		return 0;
	}
	pieces = grow(n->pieces, &n->piece_room, n->piece_count + 1, sizeof(*pieces));
	if (!pieces)
		return -ENOMEM;
	n->pieces = pieces;
	pieces[n->piece_count++] = (struct named_range){ .start = start, .end = end, .name = name };
	return 0;
}

/* The ranges of the table from *i on that lie in the region. */
static int make_pieces(struct naming *n, const struct memoir_region *region,
		       const struct names_table *table, size_t *i)
{
	uint64_t at = region->start;
	int err = 0;

	n->piece_count = 0;
	while (*i < table->count && table->ranges[*i].end <= region->start)
		(*i)++;
	for (size_t k = *i; k < table->count && table->ranges[k].start < region->end && !err; k++) {
		const struct named_range *range = &table->ranges[k];
		uint64_t start = range->start > at ? range->start : at;
		uint64_t end = range->end < region->end ? range->end : region->end;

		err = add_piece(n, at, start, NULL);
		if (!err)
			err = add_piece(n, start, end, range->name);
		at = end > at ? end : at;
	}
	return err ? err : add_piece(n, at, region->end, NULL);
}

/* ---- naming --------------------------------------------------------------------------------- */

static int name_region(struct naming *n, uint32_t i, enum memoir_name_source source)
{
	struct memoir_region *region = &n->c->snap->regions[i];
	int err = 0;

	if (n->piece_count == 1 && n->pieces[0].name) {
		region->name = n->pieces[0].name;
		region->name_source = source;
	} else if (n->piece_count > 1 && n->c->snap->engine == MEMOIR_ENGINE_SMAPS) {
		err = -EOPNOTSUPP;
	} else if (n->piece_count > 1) {
		err = capture_split(n->c, i, n->pieces, n->piece_count, source);
	}
	n->unsplit += err == -EOPNOTSUPP;
	return err == -EOPNOTSUPP ? 0 : err;
}

/* The snapshot's strings for the table's, each looked up once. */
static int intern(struct naming *n, struct names_table *table)
{
	struct u64map by_number = { 0 };
	const char **kept = NULL;
	size_t count = 0, room = 0;
	int err = 0;

	for (size_t i = 0; i < table->count && !err; i++) {
		uint32_t at = u64map_get(&by_number, table->ranges[i].number);

		if (at == U64MAP_NONE) {
			const char **more = grow((void *)kept, &room, count + 1, sizeof(*kept));

			at = (uint32_t)count;
			if (more)
				kept = more;
			if (!more || u64map_set(&by_number, table->ranges[i].number, at) < 0)
				err = -ENOMEM;
			else
				kept[count++] = snapshot_string(n->c->snap, table->ranges[i].name);
		}
		table->ranges[i].name = !err && kept ? kept[at] : NULL;
		if (!table->ranges[i].name)
			err = -ENOMEM;
	}
	free((void *)kept);
	u64map_free(&by_number);
	return err;
}

static int name_process(struct naming *n, uint32_t process, struct names_table *table)
{
	const struct memoir_process *p = &n->c->snap->processes[process];
	uint32_t first = p->first_region, end = first + p->region_count;
	enum memoir_name_source source = !table->subject ? MEMOIR_NAME_TABLE
					 : table->tried  ? MEMOIR_NAME_PRCTL
							 : MEMOIR_NAME_SUPERVISOR;
	size_t i = 0;
	int err = intern(n, table);

	if (!p->in_scope || !table->count || n->named[process])
		return err;
	n->named[process] = 1;
	for (uint32_t k = first; k < end && !err; k++) {
		const struct memoir_region *region = &n->c->snap->regions[k];

		/* What the kernel has a name for keeps it. */
		if (!capture_is_nameable(region) || region->name)
			continue;
		err = make_pieces(n, region, table, &i);
		if (!err)
			err = name_region(n, k, source);
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
static int take_open_table(struct naming *n, uint32_t anchor, bool of_others)
{
	const struct names_source source = { read_table, table_is_private, n };
	uint64_t at = n->c->snap->regions[anchor].start;
	struct names_table table = { 0 };
	int err = names_look(&source, at, &table);
	uint32_t subject = err ? MEMOIR_NONE : subject_of(n, &table);

	if (!err && table.subject && !of_others)
		return put_off(n, anchor, table.tried);
	if (!err && (subject == MEMOIR_NONE || n->named[subject] ||
		     !n->c->snap->processes[subject].in_scope))
		return 0;
	if (!err)
		err = names_read(&source, at, &table);
	if (err)
		return note_failure(n, err);
	/* It is another's now? */
	if (subject_of(n, &table) == subject && !n->c->options.without_pages)
		err = name_process(n, subject, &table);
	if (!err)
		err = announced_take(n->c, n->process, &table);
	names_table_free(&table);
	return err;
}

static int take_table(struct naming *n, uint32_t anchor, bool of_others)
{
	int err;

	n->process = n->c->snap->regions[anchor].process;
	if (!n->c->snap->processes[n->process].readable)
		return 0;
	n->memory_fd = memory_open(n->c->memoir->root, (pid_t)n->c->notes[n->process].tid);
	if (n->memory_fd < 0)
		return note_failure(n, n->memory_fd);
	err = take_open_table(n, anchor, of_others);
	close(n->memory_fd);
	return err;
}

static int take_tables(struct naming *n, size_t regions)
{
	int err = 0;

	for (uint32_t i = 0; i < regions && !err; i++)
		if (capture_is_anchor(n->c, &n->c->snap->regions[i]))
			err = take_table(n, i, false);
	/* Names that a process was given come before such as it was refused. */
	for (int tried = 0; tried < 2; tried++)
		for (size_t i = 0; i < n->later_count && !err; i++)
			if (n->later[i].tried == tried)
				err = take_table(n, n->later[i].anchor, true);
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
	free(n.pieces);
	free(n.later);
	if (!err)
		err = announced_note(c);
	return err ? err : say_what_failed(&n);
}
