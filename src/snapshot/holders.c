// SPDX-License-Identifier: MIT
/*
 * Who has open what the snapshot's objects are, and objects that are only open: from the list of open
 * files, by BPF or text. Draws no conclusions from it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/grow.h"
#include "kernel/magic.h"
#include "snapshot/capture.h"

/* An fd of a process that is not asked for: it counts if the object turns out to be. */
struct late_fd {
	uint64_t key;
	uint32_t process;
	int32_t fd;
};

struct gathering {
	struct capture *c;
	struct files_text text;
	bool by_text;
	struct u64map process_by_pid;
	struct u64map object_by_inode; /* by text, objects have no other key */
	struct u64map described;       /* objects whose fdinfo was read */
	struct memoir_holder *found;
	size_t found_count, found_room;
	struct late_fd *late;
	size_t late_count, late_room;
	size_t refused; /* processes whose fds may not be read */
};

/* ---- processes and objects ------------------------------------------------------------------ */

static int find_processes(struct gathering *g)
{
	const struct memoir_snapshot *s = g->c->snap;
	int err = 0;

	for (uint32_t i = 0; i < s->process_count && !err; i++) {
		const struct memoir_process *p = &s->processes[i];

		err = u64map_set(&g->process_by_pid, (uint64_t)p->pid, i);
		for (uint32_t k = 0; k < p->peer_count && !err; k++)
			err = u64map_set(&g->process_by_pid, (uint64_t)p->peers[k], i);
	}
	return err;
}

/* What BPF listed has other keys; where a device and inode is several objects the first has to do. */
static int find_inodes(struct gathering *g)
{
	const struct memoir_snapshot *s = g->c->snap;
	int err = 0;

	for (uint32_t i = 0; i < s->object_count && !err; i++) {
		const struct memoir_object *o = &s->objects[i];

		if (!o->is_family && o->alias == 0)
			err = u64map_set(
				&g->object_by_inode,
				capture_inode_key(o->dev_major << 20 | o->dev_minor, o->inode), i);
	}
	return err;
}

static struct u64map *objects(struct gathering *g)
{
	return g->by_text ? &g->object_by_inode : &g->c->object_by_key;
}

static uint64_t key_of(const struct gathering *g, const struct open_file *file)
{
	return g->by_text ? capture_inode_key(file->dev, file->inode) : file->mapping;
}

static uint32_t add_object(struct gathering *g, const struct open_file *file,
			   const struct buffer_class *class)
{
	struct capture *c = g->c;
	uint64_t key = key_of(g, file);
	const char *path = *file->path ? snapshot_string(c->snap, file->path) : NULL;
	uint32_t i = capture_object(c, key, class ? capture_buffer_kind(class) : MEMOIR_KIND_FILE,
				    file->dev >> 20, file->dev & 0xfffff, file->inode, path,
				    file->size_bytes);

	if (g->by_text && i != MEMOIR_NONE && u64map_set(&g->object_by_inode, key, i) < 0)
		c->error = -ENOMEM;
	return i;
}

static void tell_facts(struct gathering *g, uint32_t object, const struct open_file *file)
{
	struct open_file counted = *file;

	if (g->by_text && !file->resident_known && !g->c->snap->objects[object].resident_known)
		files_text_count(&g->text, &counted);
	capture_object_facts(g->c, object,
			     &(struct object_facts){
				     .magic = file->magic,
				     .mode = file->mode,
				     .nlink = file->nlink,
				     .size_bytes = file->size_bytes,
				     .resident_bytes = counted.resident_bytes,
				     .swapped_bytes = counted.swapped_bytes,
				     .resident_known = counted.resident_known,
			     });
}

/* ---- fds ------------------------------------------------------------------------------------ */

static int add_found(struct gathering *g, uint32_t object, uint32_t process, int32_t fd)
{
	struct memoir_holder *found =
		grow(g->found, &g->found_room, g->found_count + 1, sizeof(*found));

	if (!found)
		return -ENOMEM;
	g->found = found;
	found[g->found_count++] = (struct memoir_holder){ object, process, fd };
	return 0;
}

static int add_late(struct gathering *g, uint64_t key, uint32_t process, int32_t fd)
{
	struct late_fd *late = grow(g->late, &g->late_room, g->late_count + 1, sizeof(*late));

	if (!late)
		return -ENOMEM;
	g->late = late;
	late[g->late_count++] = (struct late_fd){ key, process, fd };
	return 0;
}

/* fdinfo is read once for each object. */
static int take_object(struct gathering *g, const struct open_file *file, uint32_t process)
{
	struct capture *c = g->c;
	uint32_t object = u64map_get(objects(g), key_of(g, file));
	bool described = object != U64MAP_NONE && u64map_get(&g->described, object) != U64MAP_NONE;
	struct buffer_facts facts;

	/* A udmabuf may keep a memfd that somebody asked for has. */
	if (object == U64MAP_NONE && !c->snap->processes[process].in_scope && !file->backing)
		return add_late(g, key_of(g, file), process, file->fd);
	const struct buffer_class *class =
		described ? NULL : capture_read_buffer(c, file, true, &facts);

	if (object == U64MAP_NONE)
		object = add_object(g, file, class);
	if (object == MEMOIR_NONE || u64map_set(&g->described, object, 0) < 0)
		return -ENOMEM;
	tell_facts(g, object, file);
	if (class)
		capture_describe(c, object, file, &facts);
	return add_found(g, object, process, file->fd);
}

/* One that holds an object, or several. */
struct client {
	struct gathering *g;
	uint32_t process;
	int32_t fd;
};

static int take_client_object(uint32_t object, void *arg)
{
	const struct client *client = arg;

	return add_found(client->g, object, client->process, client->fd);
}

/* Which client an fd is of, only its fdinfo tells. */
static int take_client(struct gathering *g, const struct open_file *file, uint32_t process)
{
	struct client client = { g, process, file->fd };
	struct buffer_facts facts;
	int err = 0;

	if (!capture_read_buffer(g->c, file, true, &facts))
		return 0;
	if (!g->c->snap->processes[process].in_scope) {
		for (size_t i = 0; facts.id && i < facts.part_count && !err; i++)
			err = add_late(g, capture_client_key(file, &facts, i), process, file->fd);
		return err;
	}
	return capture_drm_client(g->c, file, &facts, take_client_object, &client);
}

static int take_socket(struct gathering *g, const struct open_file *file, uint32_t process)
{
	struct memoir_in_flight *in_flight;

	if (!g->c->snap->processes[process].in_scope)
		return 0;
	in_flight = snapshot_add_in_flight(g->c->snap);
	if (!in_flight)
		return -ENOMEM;
	*in_flight = (struct memoir_in_flight){ file->inode, process, file->fd, file->in_flight };
	return 0;
}

static int take_file(const struct open_file *file, void *arg)
{
	struct gathering *g = arg;
	uint32_t process = u64map_get(&g->process_by_pid, (uint64_t)file->pid);

	/* Of memoir itself, or of a process born since. */
	if (process == U64MAP_NONE)
		return 0;
	if (file->in_flight)
		return take_socket(g, file, process);
	return S_ISCHR(file->mode) ? take_client(g, file, process) : take_object(g, file, process);
}

static int settle_late(struct gathering *g)
{
	int err = 0;

	for (size_t i = 0; i < g->late_count && !err; i++) {
		uint32_t object = u64map_get(objects(g), g->late[i].key);

		/* DRM clients are there only. */
		if (object == U64MAP_NONE)
			object = u64map_get(&g->c->object_by_key, g->late[i].key);
		if (object != U64MAP_NONE)
			err = add_found(g, object, g->late[i].process, g->late[i].fd);
	}
	return err;
}

/* Whether objects go by their address_space; else the list by BPF has other keys. */
static bool may_use_bpf(const struct capture *c, enum memoir_engine engine)
{
	return !c->memoir->files_by_text &&
	       (engine == MEMOIR_ENGINE_TABLES || engine == MEMOIR_ENGINE_SCAN ||
		engine == MEMOIR_ENGINE_AUTO);
}

int capture_each_open_file(struct capture *c, bool with_paths, open_file_fn each, void *arg)
{
	struct files *files;

	if (!capture_wants_buffers(c))
		return c->walk ? files_listed_each(c->walk, with_paths, each, arg) : -EOPNOTSUPP;
	files = memoir_files(c->memoir);
	return files ? files_each(files, each, arg) : -EOPNOTSUPP;
}

static int gather_by_bpf(struct gathering *g)
{
	return may_use_bpf(g->c, g->c->snap->engine)
		       ? capture_each_open_file(g->c, true, take_file, g)
		       : -EOPNOTSUPP;
}

static int gather_pid(struct gathering *g, pid_t pid, bool single_thread)
{
	int err = files_text_each(&g->text, pid, single_thread, take_file, g);

	if (err == -EACCES || err == -EPERM)
		g->refused++;
	return err == -ENOMEM ? err : 0;
}

static int gather_by_text(struct gathering *g)
{
	struct capture *c = g->c;
	int err;

	g->by_text = true;
	g->found_count = g->late_count = 0;
	c->snap->in_flight_count = 0;
	err = find_inodes(g);
	for (size_t i = 0; i < c->snap->process_count && !err; i++) {
		const struct memoir_process *p = &c->snap->processes[i];

		err = gather_pid(g, p->pid, p->threads == 1);
		for (uint32_t k = 0; k < p->peer_count && !err; k++)
			err = gather_pid(g, p->peers[k], false);
	}
	return err;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_holders(const void *a, const void *b)
{
	const struct memoir_holder *x = a, *y = b;

	if (x->object != y->object)
		return compare_numbers(x->object, y->object);
	if (x->process != y->process)
		return compare_numbers(x->process, y->process);
	return compare_numbers(x->fd, y->fd);
}

/* Threads and peers that share their fds are listed each, with the very same. */
static int keep_holders(struct gathering *g)
{
	if (g->found_count)
		qsort(g->found, g->found_count, sizeof(*g->found), compare_holders);
	for (size_t i = 0; i < g->found_count; i++) {
		struct memoir_holder *kept;

		if (i && compare_holders(&g->found[i - 1], &g->found[i]) == 0)
			continue;
		kept = snapshot_add_holder(g->c->snap);
		if (!kept)
			return -ENOMEM;
		*kept = g->found[i];
	}
	return 0;
}

static int compare_in_flight(const void *a, const void *b)
{
	const struct memoir_in_flight *x = a, *y = b;

	if (x->socket != y->socket)
		return x->socket < y->socket ? -1 : 1;
	return x->process != y->process ? compare_numbers(x->process, y->process)
					: compare_numbers(x->fd, y->fd);
}

/* As holders: threads of an exited leader and peers are listed each. */
static void keep_in_flight(struct memoir_snapshot *s)
{
	size_t kept = 0;

	if (s->in_flight_count)
		qsort(s->in_flight, s->in_flight_count, sizeof(*s->in_flight), compare_in_flight);
	for (size_t i = 0; i < s->in_flight_count; i++)
		if (!kept || compare_in_flight(&s->in_flight[kept - 1], &s->in_flight[i]) != 0)
			s->in_flight[kept++] = s->in_flight[i];
	s->in_flight_count = kept;
}

bool capture_wants_holders(const struct capture *c)
{
	return kroot_is_live(c->memoir->root) && !c->options.without_holders;
}

bool capture_lists_files(const struct capture *c)
{
	return capture_wants_holders(c) && !capture_wants_buffers(c) &&
	       may_use_bpf(c, c->memoir->engine);
}

void capture_holders_begin(struct capture *c)
{
	if (capture_wants_holders(c) && capture_wants_buffers(c) &&
	    may_use_bpf(c, c->memoir->engine))
		memoir_files_begin(c->memoir);
}

void capture_holders_end(struct capture *c)
{
	struct files *files = c->memoir->files_loading ? memoir_files(c->memoir) : c->memoir->files;

	/* What was open then is not asked of the next capture. */
	if (files)
		files_forget(files);
	if (c->walk)
		walk_want_files(c->walk, false);
}

int capture_holders(struct capture *c)
{
	struct gathering g = { .c = c, .text = capture_files_text(c) };
	int err;

	if (!capture_wants_holders(c))
		return 0;
	err = find_processes(&g);
	if (!err && gather_by_bpf(&g) != 0)
		err = gather_by_text(&g);
	if (!err)
		err = settle_late(&g);
	if (!err)
		err = keep_holders(&g);
	if (!err)
		keep_in_flight(c->snap);
	if (!err)
		err = capture_fates(c);
	/* Who may not look at others at all does not know what they hold. */
	c->snap->holders_known = !err && !(g.refused && c->snap->engine == MEMOIR_ENGINE_SMAPS);
	if (!err)
		err = capture_finish_buffers(c);
	u64map_free(&g.process_by_pid);
	u64map_free(&g.object_by_inode);
	u64map_free(&g.described);
	free(g.found);
	free(g.late);
	return err ? err : c->error;
}
