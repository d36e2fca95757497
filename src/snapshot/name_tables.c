// SPDX-License-Identifier: MIT
/*
 * Finds the name tables of processes and reads those that did not come with the walk, whomever they are about;
 * what names do to regions is for names.c.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crew.h"
#include "base/grow.h"
#include "kernel/memory.h"
#include "snapshot/naming.h"

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

/* All of them. */
struct search {
	struct capture *c;
	uint64_t read_bytes; /* by all threads */
	struct found *found;
	size_t found_count, found_room;
	size_t next; /* to be read, of all threads */
	size_t refused, damaged, newer, changing;
};

/* One table being read. */
struct opened {
	struct search *search;
	struct found *found;
	int memory_fd; /* of its process */
};

/* ---- reading -------------------------------------------------------------------------------- */

static bool is_private(void *arg, uint64_t addr, uint64_t bytes)
{
	const struct opened *opened = arg;

	return naming_is_private(opened->search->c, opened->found->process, addr, bytes);
}

static int read_table(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	struct opened *opened = arg;

	/* What is refused is not read: a table that claims too much is no reason to refuse all others. */
	if (__atomic_add_fetch(&opened->search->read_bytes, bytes, __ATOMIC_RELAXED) >
	    ALL_TABLES_MAX) {
		__atomic_sub_fetch(&opened->search->read_bytes, bytes, __ATOMIC_RELAXED);
		return -EFBIG;
	}
	return memory_read(opened->memory_fd, addr, buffer, bytes);
}

/* ---- tables --------------------------------------------------------------------------------- */

/* A table about another process is believed if its writer might have written that process's own. */
static uint32_t subject_of(const struct search *search, uint32_t process,
			   const struct names_table *table)
{
	const struct memoir_snapshot *s = search->c->snap;
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
	const struct search *search = opened->search;
	uint32_t subject;

	if (table->subject && !opened->found->is_later) {
		opened->found->is_later = true;
		opened->found->tried = table->tried;
		return false;
	}
	subject = subject_of(search, opened->found->process, table);
	return subject != MEMOIR_NONE && !search->c->naming->named[subject] &&
	       search->c->snap->processes[subject].in_scope;
}

static void read_found(struct search *search, struct found *found)
{
	struct opened opened = { .search = search, .found = found };
	const struct names_source source = {
		.read = read_table,
		.is_private = is_private,
		.is_wanted = is_wanted,
		.arg = &opened,
	};

	opened.memory_fd =
		memory_open(search->c->memoir->root, search->c->notes[found->process].tid);
	found->error = opened.memory_fd;
	if (opened.memory_fd < 0)
		return;
	found->error =
		names_read(&source, capture_region(search->c, found->anchor)->start, &found->table);
	close(opened.memory_fd);
}

/* Done by each thread. */
static void read_in_turn(void *arg)
{
	struct search *search = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&search->next, 1, __ATOMIC_RELAXED)) < search->found_count)
		read_found(search, &search->found[i]);
}

/*
 * That it vanished meanwhile is normal; all else is counted, to be said. Not of processes that nobody asked
 * for: then any of them could spoil every answer.
 */
static int note_failure(struct search *search, uint32_t process, int err)
{
	if (!search->c->snap->processes[process].in_scope)
		return err == -ENOMEM ? err : 0;
	search->refused += err == -EPERM || err == -EACCES;
	search->damaged += err == -EBADMSG || err == -EFBIG;
	search->newer += err == -EPROTONOSUPPORT;
	search->changing += err == -EAGAIN;
	return err == -ENOMEM ? err : 0;
}

static int take_found(struct search *search, struct found *found)
{
	struct names_table *table = &found->table;
	uint32_t subject;
	int err = 0;

	if (found->error)
		return found->error == -ECANCELED
			       ? 0
			       : note_failure(search, found->process, found->error);
	subject = subject_of(search, found->process, table);
	/* A process may have two. */
	if (search->c->naming->named[subject])
		return 0;
	if (!search->c->options.without_pages)
		err = naming_process(search->c, subject, table);
	if (!err)
		err = announced_take(search->c, found->process, table);
	names_table_free(table);
	return err;
}

/* To be read here. */
static bool has_table_left(const struct capture *c, uint32_t process)
{
	const struct process_note *note = &c->notes[process];

	return note->anchors > note->names_taken && c->snap->processes[process].readable;
}

static int find_tables(struct search *search)
{
	const struct memoir_snapshot *s = search->c->snap;

	for (uint32_t i = 0; i < s->captured.count; i++) {
		const uint32_t process = s->captured.regions[i].process;
		struct found *found;

		if (!has_table_left(search->c, process)) {
			i = s->processes[process].first_region +
			    s->processes[process].region_count - 1;
			continue;
		}
		if (!capture_is_anchor(search->c, &s->captured.regions[i]))
			continue;
		found = grow(search->found, &search->found_room, search->found_count + 1,
			     sizeof(*found));
		if (!found)
			return -ENOMEM;
		search->found = found;
		found[search->found_count++] = (struct found){ .anchor = i, .process = process };
	}
	return 0;
}

static int take_tables(struct search *search)
{
	int err = find_tables(search);

	if (!err && search->found_count)
		crew_run(search->found_count < FEW_TABLES ? 1 : search->c->memoir->threads,
			 read_in_turn, search);
	for (size_t i = 0; i < search->found_count && !err; i++)
		if (!search->found[i].is_later)
			err = take_found(search, &search->found[i]);
	/* Names that a process was given come before such as it was refused. */
	for (int tried = 0; tried < 2; tried++)
		for (size_t i = 0; i < search->found_count && !err; i++)
			if (search->found[i].is_later && search->found[i].tried == tried) {
				read_found(search, &search->found[i]);
				err = take_found(search, &search->found[i]);
			}
	return err;
}

static int say_what_failed(const struct search *search)
{
	struct memoir_snapshot *s = search->c->snap;
	int err = 0;

	if (search->refused)
		err = snapshot_note(
			s,
			"the names of %zu process%s may not be read: run memoir as root, or "
			"with CAP_SYS_PTRACE",
			search->refused, search->refused == 1 ? "" : "es");
	if (!err && search->damaged)
		err = snapshot_note(s, "%zu name table%s not as it should be, and was not believed",
				    search->damaged, search->damaged == 1 ? " is" : "s are");
	if (!err && search->newer)
		err = snapshot_note(s, "%zu name table%s of a newer version of memoir",
				    search->newer, search->newer == 1 ? " is" : "s are");
	if (!err && search->changing)
		err = snapshot_note(s, "%zu name table%s changed faster than it could be read",
				    search->changing, search->changing == 1 ? "" : "s");
	return err;
}

bool capture_wants_names(const struct capture *c)
{
	return kroot_is_live(c->memoir->root) && !c->options.without_names;
}

int capture_names_begin(struct capture *c)
{
	struct search search = { .c = c };
	int err;

	if (!capture_wants_names(c))
		return 0;
	err = naming_of(c) ? take_tables(&search) : -ENOMEM;
	/* To load it takes as long as to read some hundred tables, so that it is for those who capture again. */
	if (search.found_count && c->snap->engine == MEMOIR_ENGINE_TABLES &&
	    !c->options.without_pages)
		c->memoir->wants_names = true;
	for (size_t i = 0; i < search.found_count; i++)
		names_table_free(&search.found[i].table);
	free(search.found);
	if (!err)
		err = announced_note(c);
	if (!err)
		err = say_what_failed(&search);
	return err ? err : naming_begin(c);
}

int capture_names_end(struct capture *c)
{
	struct naming *n = c->naming;
	int err = n ? naming_end(c) : 0;

	if (!n || err)
		return err;
	err = capture_count_splits(c, &n->unsplit);
	if (err || !n->unsplit)
		return err;
	return snapshot_note(c->snap,
			     "%zu region%s of which only parts have names could not be split: "
			     "page frames are hidden from this user",
			     n->unsplit, n->unsplit == 1 ? "" : "s");
}
