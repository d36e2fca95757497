// SPDX-License-Identifier: MIT
/*
 * Saves a snapshot as one SQLite file, whole or not at all: written beside and renamed. Never
 * changes the snapshot, never writes into a file that is already there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/error.h"
#include "snapshot/model.h"
#include "store/schema.h"
#include "store/utf8.h"

/* Every row goes through one of these: a statement and the next parameter to bind. */
struct writer {
	sqlite3 *db;
	sqlite3_stmt *insert;
	int next;
	int status; /* the first SQLite result that was not a success … */
	int err;    /* … and the errno it stands for */
};

/*
 * SQLite does not always keep the errno of a write that failed (sqlite3_system_errno); but what it
 * calls afterwards to clean up succeeds and so leaves errno alone.
 */
static int errno_of(sqlite3 *db, int status)
{
	int system_errno = errno;

	if (db && sqlite3_system_errno(db) > 0)
		system_errno = sqlite3_system_errno(db);
	switch (status & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return system_errno > 0 ? -system_errno : -EIO;
	default:
		return -EIO;
	}
}

/* Keeps the first failure; returns it, or SQLITE_OK if there was none yet. */
static int noted(struct writer *w, int status)
{
	if (w->status == SQLITE_OK && status != SQLITE_OK) {
		w->err = errno_of(w->db, status);
		w->status = status;
	}
	return w->status;
}

static void put_int(struct writer *w, int64_t value)
{
	noted(w, sqlite3_bind_int64(w->insert, w->next++, value));
}

/* SQLite's integers are signed: the bits are kept, and `%x` prints them as they were. */
static void put_bits(struct writer *w, uint64_t value)
{
	put_int(w, (int64_t)value);
}

/* A string that lives until the row is written; NULL stays NULL. */
static void put_string(struct writer *w, const char *string)
{
	int status = SQLITE_OK;
	size_t len = string ? strlen(string) : 0;

	if (len > STORE_STRING_BYTES_MAX)
		status = SQLITE_TOOBIG;
	else if (string && utf8_valid(string, len))
		status = sqlite3_bind_text(w->insert, w->next, string, (int)len, SQLITE_STATIC);
	else if (string)
		status = sqlite3_bind_blob(w->insert, w->next, string, (int)len, SQLITE_STATIC);
	else
		status = sqlite3_bind_null(w->insert, w->next);
	w->next++;
	noted(w, status);
}

/* A figure above what a signed integer holds cannot be one of a real machine: not known. */
static void put_known(struct writer *w, bool known, uint64_t bytes)
{
	if (known && bytes <= INT64_MAX)
		put_int(w, (int64_t)bytes);
	else
		put_string(w, NULL);
}

static void put_index(struct writer *w, uint32_t index)
{
	put_known(w, index != MEMOIR_NONE, index);
}

static void put_figures(struct writer *w, const struct memoir_figures *figures)
{
	for (unsigned int i = 0; i < MEMOIR_FIGURES; i++)
		put_known(w, figures->known & (1u << i), figures->bytes[i]);
}

static int run(struct writer *w, const char *sql)
{
	if (w->status == SQLITE_OK)
		noted(w, sqlite3_exec(w->db, sql, NULL, NULL, NULL));
	return w->status;
}

static int begin_table(struct writer *w, const char *insert)
{
	if (w->status == SQLITE_OK)
		noted(w, sqlite3_prepare_v2(w->db, insert, -1, &w->insert, NULL));
	w->next = 1;
	return w->status;
}

static int end_row(struct writer *w)
{
	if (w->status == SQLITE_OK && sqlite3_step(w->insert) != SQLITE_DONE)
		noted(w, sqlite3_errcode(w->db));
	sqlite3_reset(w->insert);
	w->next = 1;
	return w->status;
}

static int end_table(struct writer *w)
{
	sqlite3_finalize(w->insert);
	w->insert = NULL;
	return w->status;
}

static void put_meta_string(struct writer *w, const char *key, const char *value)
{
	put_string(w, key);
	put_string(w, value);
	end_row(w);
}

static void put_meta_int(struct writer *w, const char *key, uint64_t value)
{
	put_string(w, key);
	put_bits(w, value);
	end_row(w);
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

	if (begin_table(w, "INSERT INTO meta(" STORE_META_COLUMNS ") VALUES(?,?)"))
		return w->status;
	snprintf(version, sizeof(version), "%d.%d", MEMOIR_VERSION_MAJOR, MEMOIR_VERSION_MINOR);
	put_meta_string(w, "memoir", version);
	put_taken(w, s->taken_ns);
	put_meta_string(w, "engine", memoir_engine_name(s->engine));
	put_meta_int(w, "partial", s->partial);
	put_meta_int(w, "vanished", s->vanished);
	put_meta_int(w, "processes", s->process_count);
	put_meta_int(w, "objects", s->object_count);
	put_meta_int(w, "regions", s->region_count);
	return end_table(w);
}

static int put_processes(struct writer *w, const struct memoir_snapshot *s)
{
	if (begin_table(w, "INSERT INTO processes(" STORE_PROCESS_COLUMNS ") "
			   "VALUES(?,?,?,?,?,?,?,?,?,?)"))
		return w->status;
	for (size_t i = 0; i < s->process_count && w->status == SQLITE_OK; i++) {
		const struct memoir_process *p = &s->processes[i];

		put_int(w, (int64_t)i);
		put_int(w, p->pid);
		put_int(w, p->ppid);
		put_int(w, p->uid);
		put_bits(w, p->start_ticks);
		put_string(w, p->comm ? p->comm : "");
		put_string(w, p->cgroup);
		put_known(w, p->page_table_known, p->page_table_bytes);
		put_int(w, p->in_scope);
		put_int(w, p->readable);
		end_row(w);
	}
	return end_table(w);
}

static int put_peers(struct writer *w, const struct memoir_snapshot *s)
{
	int64_t id = 0;

	if (begin_table(w, "INSERT INTO peers(" STORE_PEER_COLUMNS ") VALUES(?,?,?)"))
		return w->status;
	for (size_t i = 0; i < s->process_count; i++)
		for (uint32_t j = 0; j < s->processes[i].peer_count; j++) {
			put_int(w, id++);
			put_int(w, (int64_t)i);
			put_int(w, s->processes[i].peers[j]);
			if (end_row(w))
				return end_table(w);
		}
	return end_table(w);
}

static int put_objects(struct writer *w, const struct memoir_snapshot *s)
{
	char id[MEMOIR_OBJECT_ID_MAX];

	if (begin_table(w, "INSERT INTO objects(" STORE_OBJECT_COLUMNS ") "
			   "VALUES(?,?,?,?,?,?,?,?,?,?)"))
		return w->status;
	for (size_t i = 0; i < s->object_count && w->status == SQLITE_OK; i++) {
		const struct memoir_object *o = &s->objects[i];

		put_int(w, (int64_t)i);
		put_string(w, memoir_kind_name(o->kind));
		put_int(w, o->is_family);
		put_int(w, o->dev_major);
		put_int(w, o->dev_minor);
		put_bits(w, o->inode);
		put_int(w, o->alias);
		put_string(w, o->path);
		put_bits(w, o->size_bytes);
		put_string(w, memoir_object_id(o, id));
		end_row(w);
	}
	return end_table(w);
}

static int put_regions(struct writer *w, const struct memoir_snapshot *s)
{
	if (begin_table(w, "INSERT INTO regions(" STORE_REGION_COLUMNS ") "
			   "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"))
		return w->status;
	for (size_t i = 0; i < s->region_count && w->status == SQLITE_OK; i++) {
		const struct memoir_region *r = &s->regions[i];

		put_int(w, (int64_t)i);
		put_int(w, r->process);
		put_bits(w, r->start);
		put_bits(w, r->end);
		put_string(w, r->perms);
		put_bits(w, r->offset_bytes);
		put_string(w, memoir_kind_name(r->kind));
		put_string(w, r->name);
		put_string(w, memoir_name_source_name(r->name_source));
		put_string(w, r->path);
		put_index(w, r->object);
		put_index(w, r->family);
		put_int(w, r->exact);
		put_string(w, r->inexact_why);
		put_figures(w, &r->figures);
		end_row(w);
	}
	return end_table(w);
}

static int put_notes_and_meminfo(struct writer *w, const struct memoir_snapshot *s)
{
	if (begin_table(w, "INSERT INTO notes(" STORE_NOTE_COLUMNS ") VALUES(?,?)"))
		return w->status;
	for (size_t i = 0; i < s->note_count && w->status == SQLITE_OK; i++) {
		put_int(w, (int64_t)i);
		put_string(w, s->notes[i]);
		end_row(w);
	}
	if (end_table(w) ||
	    begin_table(w, "INSERT INTO meminfo(" STORE_MEMINFO_COLUMNS ") VALUES(?,?,?)"))
		return w->status;
	for (size_t i = 0; i < s->meminfo_count && w->status == SQLITE_OK; i++) {
		put_int(w, (int64_t)i);
		put_string(w, s->meminfo[i].key);
		put_bits(w, s->meminfo[i].bytes);
		end_row(w);
	}
	return end_table(w);
}

/* Of no use to anybody until renamed: so neither a journal nor syncs on the way. */
static int put_all(struct writer *w, const struct memoir_snapshot *s)
{
	char pragmas[128];

	snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 STORE_APPLICATION_ID, STORE_FORMAT);
	run(w, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
	       "PRAGMA locking_mode = EXCLUSIVE; PRAGMA encoding = 'UTF-8'; BEGIN");
	run(w, pragmas);
	for (const char *const *sql = store_schema; *sql; sql++)
		run(w, *sql);
	if (w->status == SQLITE_OK)
		put_meta(w, s);
	if (w->status == SQLITE_OK)
		put_processes(w, s);
	if (w->status == SQLITE_OK)
		put_peers(w, s);
	if (w->status == SQLITE_OK)
		put_objects(w, s);
	if (w->status == SQLITE_OK)
		put_regions(w, s);
	if (w->status == SQLITE_OK)
		put_notes_and_meminfo(w, s);
	return run(w, "COMMIT");
}

static int write_database(const char *path, const struct memoir_snapshot *s)
{
	struct writer w = { 0 };

	if (!noted(&w, sqlite3_open_v2(path, &w.db, SQLITE_OPEN_READWRITE, NULL)))
		put_all(&w, s);
	sqlite3_close(w.db);
	return w.err;
}

/* A rename over a device or a pipe would replace it, which nobody asking for a file means. */
static int check_target(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT && path[0] ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) ? 0 : -EINVAL;
}

/* "./" keeps SQLite from reading a meaning ("file:", ":memory:") into a relative name. */
static char *path_beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	int dir_len = slash ? (int)(slash - path) + 1 : 0;
	char *beside;

	if (asprintf(&beside, "%s%.*s%s", path[0] == '/' ? "" : "./", dir_len, path, name) < 0)
		return NULL;
	return beside;
}

static void sync_directory(const char *path)
{
	char *dir = path_beside(path, ".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	/* The file is whole and in its place: a directory that cannot be synced is no failure. */
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

static int write_and_rename(const struct memoir_snapshot *s, const char *path)
{
	char *temporary = path_beside(path, ".memoir-XXXXXX");
	int err;

	if (!temporary)
		return -ENOMEM;
	int fd = mkostemp(temporary, O_CLOEXEC); /* O_EXCL, 0600 less the umask */

	if (fd < 0) {
		err = -errno;
		free(temporary);
		return err;
	}
	err = write_database(temporary, s);
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err)
		unlink(temporary);
	else
		sync_directory(path);
	free(temporary);
	return err;
}

/* Past RLIMIT_FSIZE a write also raises SIGXFSZ, whose default is to kill: an error will do. */
static int save_without_sigxfsz(const struct memoir_snapshot *s, const char *path)
{
	const struct timespec now = { 0 };
	sigset_t xfsz, before, pending;

	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &xfsz, &before);
	int err = write_and_rename(s, path);

	if (!sigismember(&pending, SIGXFSZ))
		while (sigtimedwait(&xfsz, NULL, &now) > 0)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static const char *remedy(int err)
{
	switch (err) {
	case -ENOSPC:
	case -EDQUOT:
		return "; free some space or save to another file system";
	case -EFBIG:
		return "; the file size limit (ulimit -f) is too low";
	case -EINVAL:
		return "; it exists and is neither a file nor a link";
	default:
		return "";
	}
}

int memoir_snapshot_save(const struct memoir_snapshot *snapshot, const char *path,
			 struct memoir_error *error)
{
	int err = check_target(path);

	if (!err)
		err = save_without_sigxfsz(snapshot, path);
	if (err)
		return error_set_about(error, err, 0, path, "cannot save the snapshot as %s: %s%s",
				       path, strerror(-err), remedy(err));
	return 0;
}
