// SPDX-License-Identifier: MIT
/*
 * Every row of a snapshot, into the tables of an empty file; changes nothing of the snapshot.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "store/schema.h"
#include "store/tables.h"

static void put_meta_string(struct writer *w, const char *key, const char *value)
{
	writer_string(w, key);
	writer_string(w, value);
	writer_end_row(w);
}

static void put_meta_int(struct writer *w, const char *key, uint64_t value)
{
	writer_string(w, key);
	writer_bits(w, value);
	writer_end_row(w);
}

static void put_taken(struct writer *w, uint64_t taken_ns)
{
	time_t seconds = (time_t)(taken_ns / 1000000000u);
	char day[40], text[64];
	struct tm tm;

	put_meta_int(w, "taken_ns", taken_ns);
	if (!gmtime_r(&seconds, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(text, sizeof(text), "%s.%03" PRIu64 "Z", day, taken_ns / 1000000u % 1000u);
	put_meta_string(w, "taken", text);
}

static int put_meta(struct writer *w, const struct memoir_snapshot *s)
{
	char version[32];

	if (writer_begin(w, "meta", STORE_META_COLUMNS))
		return w->status;
	snprintf(version, sizeof(version), "%d.%d", MEMOIR_VERSION_MAJOR, MEMOIR_VERSION_MINOR);
	put_meta_string(w, "memoir", version);
	put_taken(w, s->taken_ns);
	put_meta_string(w, "engine", memoir_engine_name(s->engine));
	put_meta_int(w, "partial", s->partial);
	put_meta_int(w, "vanished", s->vanished);
	put_meta_int(w, "sets_known", s->sets_known);
	put_meta_int(w, "holders_known", s->holders_known);
	put_meta_int(w, "processes", s->process_count);
	put_meta_int(w, "objects", s->object_count);
	put_meta_int(w, "regions", s->region_count);
	put_meta_int(w, "sets", s->set_count);
	put_meta_int(w, "holders", s->holder_count);
	put_meta_int(w, "buffers_known", s->buffers_known);
	put_meta_int(w, "in_flight", s->in_flight_count);
	if (s->scope)
		put_meta_string(w, "scope", s->scope);
	return writer_end(w);
}

static int put_processes(struct writer *w, const struct memoir_snapshot *s)
{
	if (writer_begin(w, "processes", STORE_PROCESS_COLUMNS))
		return w->status;
	for (size_t i = 0; i < s->process_count && w->status == SQLITE_OK; i++) {
		const struct memoir_process *p = &s->processes[i];

		writer_int(w, (int64_t)i);
		writer_int(w, p->pid);
		writer_int(w, p->ppid);
		writer_known(w, p->uid != (uid_t)-1, p->uid);
		writer_bits(w, p->start_ticks);
		writer_string(w, p->comm ? p->comm : "");
		writer_string(w, p->cgroup);
		writer_known(w, p->threads > 0, p->threads);
		writer_known(w, p->page_table_known, p->page_table_bytes);
		writer_int(w, (int64_t)p->sole_anon_bytes);
		writer_int(w, (int64_t)p->sole_swap_bytes);
		writer_int(w, p->in_scope);
		writer_int(w, p->readable);
		writer_end_row(w);
	}
	return writer_end(w);
}

static int put_peers(struct writer *w, const struct memoir_snapshot *s)
{
	int64_t id = 0;

	if (writer_begin(w, "peers", STORE_PEER_COLUMNS))
		return w->status;
	for (size_t i = 0; i < s->process_count; i++)
		for (uint32_t j = 0; j < s->processes[i].peer_count; j++) {
			writer_int(w, id++);
			writer_int(w, (int64_t)i);
			writer_int(w, s->processes[i].peers[j]);
			if (writer_end_row(w))
				return writer_end(w);
		}
	return writer_end(w);
}

static int put_objects(struct writer *w, const struct memoir_snapshot *s)
{
	char id[MEMOIR_OBJECT_ID_MAX];

	if (writer_begin(w, "objects", STORE_OBJECT_COLUMNS STORE_BUFFER_COLUMNS))
		return w->status;
	for (size_t i = 0; i < s->object_count && w->status == SQLITE_OK; i++) {
		const struct memoir_object *o = &s->objects[i];

		writer_int(w, (int64_t)i);
		writer_string(w, memoir_kind_name(o->kind));
		writer_int(w, o->is_family);
		writer_int(w, o->dev_major);
		writer_int(w, o->dev_minor);
		writer_bits(w, o->inode);
		writer_int(w, o->alias);
		writer_string(w, o->path);
		writer_bits(w, o->size_bytes);
		writer_known(w, o->resident_known, o->resident_bytes);
		writer_int(w, (int64_t)o->mapped_bytes);
		writer_known(w, o->resident_known || o->swapped_bytes, o->swapped_bytes);
		writer_index(w, o->links);
		writer_string(w, memoir_fate_name(o->fate));
		writer_string(w, memoir_object_id(o, id));
		writer_string(w, o->tag);
		writer_string(w, o->exporter);
		writer_int(w, (int64_t)o->elsewhere_bytes);
		writer_int(w, (int64_t)o->shared_bytes);
		writer_index(w, o->is_backed ? o->backing : MEMOIR_NONE);
		writer_end_row(w);
	}
	return writer_end(w);
}

static void put_figures(struct writer *w, const struct memoir_figures *figures)
{
	for (unsigned int i = 0; i < MEMOIR_FIGURES; i++)
		writer_known(w, figures->known & (1u << i), figures->bytes[i]);
}

static int put_regions(struct writer *w, const struct memoir_snapshot *s)
{
	if (writer_begin(w, "regions", STORE_REGION_COLUMNS STORE_LOCKED_COLUMN))
		return w->status;
	for (size_t i = 0; i < s->region_count && w->status == SQLITE_OK; i++) {
		const struct memoir_region *r = &snapshot_regions(s)[i];

		writer_int(w, (int64_t)i);
		writer_int(w, r->process);
		writer_bits(w, r->start);
		writer_bits(w, r->end);
		writer_string(w, r->perms);
		writer_bits(w, r->offset_bytes);
		writer_string(w, memoir_kind_name(r->kind));
		writer_string(w, r->name);
		writer_string(w, memoir_name_source_name(r->name_source));
		writer_string(w, r->path);
		writer_index(w, r->object);
		writer_index(w, r->family);
		writer_int(w, r->exact);
		writer_string(w, r->inexact_why);
		writer_int(w, (int64_t)r->own_anon_bytes);
		writer_int(w, (int64_t)r->own_swap_bytes);
		put_figures(w, &r->figures);
		writer_int(w, r->locked);
		writer_end_row(w);
	}
	return writer_end(w);
}

static int put_notes_and_meminfo(struct writer *w, const struct memoir_snapshot *s)
{
	if (writer_begin(w, "notes", STORE_NOTE_COLUMNS))
		return w->status;
	for (size_t i = 0; i < s->note_count && w->status == SQLITE_OK; i++) {
		writer_int(w, (int64_t)i);
		writer_string(w, s->notes[i]);
		writer_end_row(w);
	}
	if (writer_end(w) || writer_begin(w, "meminfo", STORE_MEMINFO_COLUMNS))
		return w->status;
	for (size_t i = 0; i < s->meminfo_count && w->status == SQLITE_OK; i++) {
		writer_int(w, (int64_t)i);
		writer_string(w, s->meminfo[i].key);
		writer_bits(w, s->meminfo[i].bytes);
		writer_end_row(w);
	}
	return writer_end(w);
}

/* Of no use to anybody until renamed: so neither a journal nor syncs on the way. */
int tables_put(struct writer *w, const struct memoir_snapshot *s)
{
	char pragmas[128];

	snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 STORE_APPLICATION_ID, STORE_FORMAT);
	writer_run(w, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
		      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA encoding = 'UTF-8'; BEGIN");
	writer_run(w, pragmas);
	for (const char *const *sql = store_schema; *sql; sql++)
		writer_run(w, *sql);
	if (w->status == SQLITE_OK && !put_meta(w, s) && !put_processes(w, s) && !put_peers(w, s) &&
	    !put_objects(w, s) && !put_regions(w, s) && !tables_put_sharing(w, s))
		put_notes_and_meminfo(w, s);
	return writer_run(w, "COMMIT");
}
