// SPDX-License-Identifier: MIT
/*
 * Every row of a snapshot file, into an empty snapshot. The file may be damaged or made to do harm:
 * nothing in it is believed before it is checked.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/grow.h"
#include "store/schema.h"
#include "store/tables.h"

#define PID_MAX INT32_MAX
#define UID_MAX (UINT32_MAX - 1) /* (uid_t)-1 is none */
#define ENGINES (MEMOIR_ENGINE_SMAPS + 1)

typedef const char *(*name_of)(unsigned int value);

static const char *kind_of(unsigned int value)
{
	return memoir_kind_name(value);
}

static const char *source_of(unsigned int value)
{
	return memoir_name_source_name(value);
}

static const char *fate_of(unsigned int value)
{
	return memoir_fate_name(value);
}

static const char *engine_of(unsigned int value)
{
	return memoir_engine_name(value);
}

/* The value below `count` whose name this is. */
static unsigned int value_named(struct reader *r, const char *name, name_of name_of_value,
				unsigned int count)
{
	for (unsigned int i = 0; name && i < count; i++)
		if (name_of_value(i) && strcmp(name_of_value(i), name) == 0)
			return i;
	reader_damaged(r, "row %" PRId64 " of %s: \"%.30s\" is no word of this format", r->row,
		       r->table, name ? name : "");
	return 0;
}

static int load_meta(struct reader *r, struct memoir_snapshot *s)
{
	s->taken_ns = (uint64_t)reader_meta_int(r, "taken_ns", INT64_MIN, INT64_MAX);
	s->engine = value_named(r, reader_meta_string(r, "engine"), engine_of, ENGINES);
	s->partial = reader_meta_int(r, "partial", 0, 1);
	s->vanished = (size_t)reader_meta_int(r, "vanished", 0, INT64_MAX);
	s->sets_known = reader_meta_int(r, "sets_known", 0, 1);
	s->holders_known = reader_meta_int(r, "holders_known", 0, 1);
	s->buffers_known =
		reader_has_column(r, "objects", "tag") && reader_meta_int(r, "buffers_known", 0, 1);
	s->scope = reader_meta_string_if_any(r, "scope");
	return r->err;
}

static void load_process(struct reader *r, struct memoir_process *p)
{
	int64_t number;

	p->pid = (pid_t)reader_int(r, 1, PID_MAX);
	p->ppid = (pid_t)reader_int(r, 0, PID_MAX);
	p->uid = reader_int_or_null(r, 0, UID_MAX, &number) ? (uid_t)number : (uid_t)-1;
	p->start_ticks = reader_bits(r);
	p->comm = reader_string(r);
	p->cgroup = reader_string_or_null(r);
	if (reader_int_or_null(r, 1, UINT32_MAX, &number))
		p->threads = (uint32_t)number;
	p->page_table_known = reader_int_or_null(r, 0, INT64_MAX, &number);
	p->page_table_bytes = p->page_table_known ? (uint64_t)number : 0;
	p->sole_anon_bytes = reader_amount(r);
	p->sole_swap_bytes = reader_amount(r);
	p->in_scope = reader_int(r, 0, 1);
	p->readable = reader_int(r, 0, 1);
}

static int load_processes(struct reader *r, struct memoir_snapshot *s)
{
	reader_begin(r, "processes", STORE_PROCESS_COLUMNS);
	while (reader_next(r)) {
		struct memoir_process *p = snapshot_add_process(s);

		if (!p) {
			r->err = -ENOMEM;
			break;
		}
		load_process(r, p);
	}
	return reader_end(r);
}

/* Files of before the scope was kept: with somebody out of it, it was not all. */
static void guess_scope(struct memoir_snapshot *s)
{
	for (size_t i = 0; i < s->process_count && !s->scope; i++)
		if (!s->processes[i].in_scope)
			s->scope = "";
}

static int add_peer(struct memoir_process *p, size_t *room, pid_t pid)
{
	pid_t *peers = grow((pid_t *)p->peers, room, p->peer_count + 1, sizeof(*peers));

	if (!peers)
		return -ENOMEM;
	peers[p->peer_count++] = pid;
	p->peers = peers;
	return 0;
}

static int load_peers(struct reader *r, struct memoir_snapshot *s)
{
	int64_t last = 0;
	size_t room = 0;

	reader_begin(r, "peers", STORE_PEER_COLUMNS);
	while (reader_next(r)) {
		/* Those of one process stand together, so one `room` is enough. */
		int64_t process = reader_int(r, last, (int64_t)s->process_count - 1);
		pid_t pid = (pid_t)reader_int(r, 1, PID_MAX);

		if (r->err)
			break;
		if (process != last)
			room = 0;
		last = process;
		if (add_peer(&s->processes[process], &room, pid) < 0)
			r->err = -ENOMEM;
	}
	return reader_end(r);
}

static void load_object(struct reader *r, struct memoir_object *o)
{
	const char *fate;
	int64_t links, backing;

	o->kind = (uint8_t)value_named(r, reader_string(r), kind_of, MEMOIR_KINDS);
	o->is_family = reader_int(r, 0, 1);
	o->dev_major = (uint32_t)reader_int(r, 0, UINT32_MAX);
	o->dev_minor = (uint32_t)reader_int(r, 0, UINT32_MAX);
	o->inode = reader_bits(r);
	o->alias = (uint32_t)reader_int(r, 0, UINT32_MAX);
	o->path = reader_string_or_null(r);
	o->size_bytes = reader_bits(r);
	o->resident_known = reader_amount_or_null(r, &o->resident_bytes);
	o->mapped_bytes = reader_amount(r);
	(void)reader_amount_or_null(r, &o->swapped_bytes);
	o->links =
		reader_int_or_null(r, 0, MEMOIR_NONE - 1, &links) ? (uint32_t)links : MEMOIR_NONE;
	fate = reader_string_or_null(r);
	if (fate)
		o->fate = (uint8_t)value_named(r, fate, fate_of, MEMOIR_FATES);
	(void)reader_string_or_null(r); /* the id: it follows from the rest */
	o->tag = reader_string_or_null(r);
	o->exporter = reader_string_or_null(r);
	o->elsewhere_bytes = reader_amount(r);
	o->shared_bytes = reader_amount(r);
	o->is_backed = reader_int_or_null(r, 0, MEMOIR_NONE - 1, &backing);
	o->backing = o->is_backed ? (uint32_t)backing : 0;
}

/* What an object is made of has to be there, and no more of it can be elsewhere than there is. */
static void check_objects(struct reader *r, const struct memoir_snapshot *s)
{
	for (size_t i = 0; i < s->object_count && !r->err; i++) {
		const struct memoir_object *o = &s->objects[i];

		if (o->is_backed && (o->backing >= s->object_count || o->backing == i ||
				     s->objects[o->backing].is_family))
			reader_damaged(r, "row %zu of objects: it cannot be made of %" PRIu32, i,
				       o->backing);
		if (o->elsewhere_bytes > o->resident_bytes)
			reader_damaged(r, "row %zu of objects: elsewhere_bytes is too large", i);
	}
}

static int load_objects(struct reader *r, struct memoir_snapshot *s)
{
	reader_begin(r, "objects",
		     reader_has_column(r, "objects", "tag")
			     ? STORE_OBJECT_COLUMNS STORE_BUFFER_COLUMNS
			     : STORE_OBJECT_COLUMNS STORE_BUFFER_NOTHING);
	while (reader_next(r)) {
		struct memoir_object *o = snapshot_add_object(s);

		if (!o) {
			r->err = -ENOMEM;
			break;
		}
		load_object(r, o);
	}
	check_objects(r, s);
	return reader_end(r);
}

/* An index of an object that is (or is not) a family; MEMOIR_NONE for NULL. */
static uint32_t load_object_index(struct reader *r, const struct memoir_snapshot *s, bool family)
{
	int64_t index;

	if (!reader_int_or_null(r, 0, (int64_t)s->object_count - 1, &index))
		return MEMOIR_NONE;
	if (!r->err && s->objects[index].is_family != family)
		reader_damaged(r, "row %" PRId64 " of regions: object %" PRId64 " is %sa family",
			       r->row, index, family ? "not " : "");
	return (uint32_t)index;
}

static void load_perms(struct reader *r, char perms[5])
{
	static const char *const allowed[] = { "r-", "w-", "x-", "ps" };
	const char *text = reader_string(r);

	if (r->err || !text)
		return;
	for (size_t i = 0; i < 4; i++)
		if (!text[i] || !strchr(allowed[i], text[i])) {
			reader_damaged(r, "row %" PRId64 " of regions: perms are wrong", r->row);
			return;
		}
	if (text[4])
		reader_damaged(r, "row %" PRId64 " of regions: perms are too long", r->row);
	memcpy(perms, text, 4);
}

static void load_figures(struct reader *r, struct memoir_figures *figures)
{
	int64_t bytes;

	for (unsigned int i = 0; i < MEMOIR_FIGURES; i++)
		if (reader_int_or_null(r, 0, INT64_MAX, &bytes)) {
			figures->bytes[i] = (uint64_t)bytes;
			figures->known |= 1u << i;
		}
}

static void load_region(struct reader *r, const struct memoir_snapshot *s,
			struct memoir_region *region)
{
	const char *source;

	region->process = (uint32_t)reader_int(r, 0, (int64_t)s->process_count - 1);
	region->start = reader_bits(r);
	region->end = reader_bits(r);
	load_perms(r, region->perms);
	region->offset_bytes = reader_bits(r);
	region->kind = (uint8_t)value_named(r, reader_string(r), kind_of, MEMOIR_KINDS);
	region->name = reader_string_or_null(r);
	source = reader_string_or_null(r);
	if (source)
		region->name_source =
			(uint8_t)value_named(r, source, source_of, MEMOIR_NAME_SOURCES);
	region->path = reader_string_or_null(r);
	region->object = load_object_index(r, s, false);
	region->family = load_object_index(r, s, true);
	region->exact = reader_int(r, 0, 1);
	region->inexact_why = reader_string_or_null(r);
	region->own_anon_bytes = reader_amount(r);
	region->own_swap_bytes = reader_amount(r);
	load_figures(r, &region->figures);
	region->locked = reader_int(r, 0, 1);
}

/* Regions of a process stand together, by address, without overlaps. */
static int file_region(struct reader *r, struct memoir_snapshot *s,
		       const struct memoir_region *region)
{
	struct memoir_process *p = &s->processes[region->process];
	uint32_t index = (uint32_t)(s->region_count - 1);

	if (region->start >= region->end)
		return reader_damaged(r,
				      "row %" PRId64 " of regions: the end is not behind the "
				      "start",
				      r->row);
	if (p->region_count == 0)
		p->first_region = index;
	else if (p->first_region + p->region_count != index)
		return reader_damaged(r,
				      "row %" PRId64 " of regions: those of process %" PRIu32
				      " do not stand together",
				      r->row, region->process);
	else if (region[-1].end > region->start)
		return reader_damaged(r, "row %" PRId64 " of regions is not above the one before",
				      r->row);
	p->region_count++;
	return 0;
}

static int load_regions(struct reader *r, struct memoir_snapshot *s)
{
	reader_begin(r, "regions",
		     reader_has_column(r, "regions", "locked")
			     ? STORE_REGION_COLUMNS STORE_LOCKED_COLUMN
			     : STORE_REGION_COLUMNS STORE_LOCKED_NOTHING);
	while (reader_next(r)) {
		struct memoir_region *region = snapshot_add_region(s);

		if (!region) {
			r->err = -ENOMEM;
			break;
		}
		load_region(r, s, region);
		if (!r->err)
			file_region(r, s, region);
	}
	return reader_end(r);
}

static int load_notes_and_meminfo(struct reader *r, struct memoir_snapshot *s)
{
	reader_begin(r, "notes", STORE_NOTE_COLUMNS);
	while (reader_next(r)) {
		const char *note = reader_string(r);

		if (!r->err && snapshot_note(s, "%s", note) < 0)
			r->err = -ENOMEM;
	}
	if (reader_end(r))
		return r->err;
	reader_begin(r, "meminfo", STORE_MEMINFO_COLUMNS);
	while (reader_next(r)) {
		const char *key = reader_string(r);
		uint64_t bytes = reader_bits(r);

		if (!r->err && snapshot_add_meminfo(s, key, bytes) < 0)
			r->err = -ENOMEM;
	}
	return reader_end(r);
}

/* What is missing at the end of a table shows in the counts only. */
static int check_counts(struct reader *r, const struct memoir_snapshot *s)
{
	const struct {
		const char *table;
		size_t count;
	} tables[] = {
		{ "processes", s->process_count }, { "objects", s->object_count },
		{ "regions", s->region_count },    { "sets", s->set_count },
		{ "holders", s->holder_count },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		int64_t said = reader_meta_int(r, tables[i].table, 0, MEMOIR_NONE);

		if (!r->err && (size_t)said != tables[i].count)
			reader_damaged(r, "%zu of %" PRId64 " rows of %s are there",
				       tables[i].count, said, tables[i].table);
	}
	return r->err;
}

int tables_load(struct reader *r, struct memoir_snapshot *s)
{
	if (load_meta(r, s) || load_processes(r, s) || load_peers(r, s) || load_objects(r, s) ||
	    load_regions(r, s) || tables_load_sharing(r, s) || load_notes_and_meminfo(r, s) ||
	    check_counts(r, s))
		return r->err;
	guess_scope(s);
	snapshot_sum_processes(s);
	return 0;
}
