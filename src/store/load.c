// SPDX-License-Identifier: MIT
/*
 * Loads a snapshot file into a snapshot. The file may be damaged or made to do harm: nothing in it
 * is believed before it is checked, and nothing is ever written to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/grow.h"
#include "snapshot/model.h"
#include "store/reader.h"
#include "store/schema.h"

#define PID_MAX INT32_MAX
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
	return r->err;
}

static int load_processes(struct reader *r, struct memoir_snapshot *s)
{
	int64_t bytes;

	reader_begin(r, "processes", STORE_PROCESS_COLUMNS);
	while (reader_next(r)) {
		struct memoir_process *p = snapshot_add_process(s);

		if (!p) {
			r->err = -ENOMEM;
			break;
		}
		p->pid = (pid_t)reader_int(r, 1, PID_MAX);
		p->ppid = (pid_t)reader_int(r, 0, PID_MAX);
		p->uid = (uid_t)reader_int(r, 0, UINT32_MAX);
		p->start_ticks = reader_bits(r);
		p->comm = reader_string(r);
		p->cgroup = reader_string_or_null(r);
		p->page_table_known = reader_int_or_null(r, 0, INT64_MAX, &bytes);
		p->page_table_bytes = p->page_table_known ? (uint64_t)bytes : 0;
		p->in_scope = reader_int(r, 0, 1);
		p->readable = reader_int(r, 0, 1);
	}
	return reader_end(r);
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

static int load_objects(struct reader *r, struct memoir_snapshot *s)
{
	reader_begin(r, "objects", STORE_OBJECT_COLUMNS);
	while (reader_next(r)) {
		struct memoir_object *o = snapshot_add_object(s);

		if (!o) {
			r->err = -ENOMEM;
			break;
		}
		o->kind = (uint8_t)value_named(r, reader_string(r), kind_of, MEMOIR_KINDS);
		o->is_family = reader_int(r, 0, 1);
		o->dev_major = (uint32_t)reader_int(r, 0, UINT32_MAX);
		o->dev_minor = (uint32_t)reader_int(r, 0, UINT32_MAX);
		o->inode = reader_bits(r);
		o->alias = (uint32_t)reader_int(r, 0, UINT32_MAX);
		o->path = reader_string_or_null(r);
		o->size_bytes = reader_bits(r);
	}
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
	load_figures(r, &region->figures);
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
	reader_begin(r, "regions", STORE_REGION_COLUMNS);
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
		{ "processes", s->process_count },
		{ "objects", s->object_count },
		{ "regions", s->region_count },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		int64_t said = reader_meta_int(r, tables[i].table, 0, MEMOIR_NONE);

		if (!r->err && (size_t)said != tables[i].count)
			reader_damaged(r, "%zu of %" PRId64 " rows of %s are there",
				       tables[i].count, said, tables[i].table);
	}
	return r->err;
}

static int load_all(struct reader *r, struct memoir_snapshot *s)
{
	if (load_meta(r, s) || load_processes(r, s) || load_peers(r, s) || load_objects(r, s) ||
	    load_regions(r, s) || load_notes_and_meminfo(r, s) || check_counts(r, s))
		return r->err;
	snapshot_sum_processes(s);
	return 0;
}

#define HEADER_BYTES 100

static uint32_t big_endian_32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int check_header(const char *path, const uint8_t *header, ssize_t len, int64_t size_bytes,
			struct memoir_error *error)
{
	if (len < 16 || memcmp(header, "SQLite format 3", 16) != 0)
		return error_set_about(error, -EBADMSG, 0, path, "%s is not a memoir snapshot",
				       path);
	if (len < HEADER_BYTES)
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is truncated or damaged: it ends in its header", path);
	if (big_endian_32(header + 68) != STORE_APPLICATION_ID)
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is an SQLite file, but not a memoir snapshot", path);

	int32_t format = (int32_t)big_endian_32(header + 60);

	if (format > STORE_FORMAT)
		return error_set_about(
			error, -EPROTONOSUPPORT, 0, path,
			"%s was written by a newer memoir (format %d, this one reads %d)", path,
			format, STORE_FORMAT);
	if (format < 1)
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is truncated or damaged: there is no format %d", path,
				       format);
	int64_t page_bytes = header[16] << 8 | header[17];
	int64_t pages = big_endian_32(header + 28);

	/* The size of 65,536 does not fit the field: 1 stands for it. */
	if (size_bytes < pages * (page_bytes == 1 ? 65536 : page_bytes))
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is truncated or damaged: %" PRId64 " bytes are missing",
				       path,
				       pages * (page_bytes == 1 ? 65536 : page_bytes) - size_bytes);
	return 0;
}

/* The header and the size of an open file; a size below 0 stands for what is not a file. */
static int read_header(int fd, uint8_t header[HEADER_BYTES], ssize_t *ret_len,
		       int64_t *ret_size_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		*ret_size_bytes = -1;
		return 0;
	}
	*ret_len = pread(fd, header, HEADER_BYTES, 0);
	if (*ret_len < 0)
		return -errno;
	*ret_size_bytes = st.st_size;
	return 0;
}

/* What can be told without SQLite: whether this is a file, and a snapshot, and all of it. */
static int check_file(const char *path, int64_t *ret_size_bytes, struct memoir_error *error)
{
	uint8_t header[HEADER_BYTES];
	int64_t size_bytes = 0;
	ssize_t len = 0;
	int err;
	/* Not to wait for the other end of a pipe. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0) {
		err = -errno;
	} else {
		err = read_header(fd, header, &len, &size_bytes);
		close(fd);
	}
	if (err)
		return error_set_about(error, err, 0, path, "cannot read %s: %s", path,
				       strerror(-err));
	if (size_bytes < 0)
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is not a memoir snapshot: it is not a file", path);
	*ret_size_bytes = size_bytes;
	return check_header(path, header, len, size_bytes, error);
}

static int load_file(const char *path, int64_t size_bytes, struct memoir_snapshot *s,
		     struct memoir_error *error)
{
	struct reader r;
	int err = reader_open(&r, path, size_bytes, s->strings);

	if (!err)
		err = load_all(&r, s);
	reader_close(&r);
	if (err == -EBADMSG)
		return error_set_about(error, err, 0, path, "%s is truncated or damaged (%s)", path,
				       r.wrong);
	if (err)
		return error_set_about(error, err, 0, path, "cannot read %s: %s", path,
				       strerror(-err));
	return 0;
}

int memoir_snapshot_load(const char *path, struct memoir_snapshot **ret_snapshot,
			 struct memoir_error *error)
{
	struct memoir_snapshot *s;
	int64_t size_bytes = 0;
	int err = check_file(path, &size_bytes, error);

	if (err)
		return err;
	s = snapshot_new();
	if (!s)
		return error_set(error, -ENOMEM, "not enough memory to read %s", path);
	err = load_file(path, size_bytes, s, error);
	if (err) {
		memoir_snapshot_free(s);
		return err;
	}
	*ret_snapshot = s;
	return 0;
}
