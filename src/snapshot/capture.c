// SPDX-License-Identifier: MIT
/*
 * Capture: chooses the method, runs it, and turns its counts into a snapshot's figures.
 */
#include "snapshot/capture.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crew.h"
#include "base/grow.h"
#include "base/options.h"
#include "kernel/folio_sizes.h"
#include "kernel/meminfo.h"
#include "kernel/own_memory.h"
#include "kernel/pagemap.h"
#include "snapshot/frames.h"

struct memoir_process *capture_add_process(struct capture *c, struct process_note **ret_note)
{
	size_t i = c->snap->process_count;
	struct process_note *notes = grow(c->notes, &c->note_room, i + 1, sizeof(*notes));
	struct memoir_process *process = notes ? snapshot_add_process(c->snap) : NULL;

	if (notes)
		c->notes = notes;
	if (!process) {
		c->error = -ENOMEM;
		return NULL;
	}
	notes[i] = (struct process_note){ 0 };
	*ret_note = &notes[i];
	process->readable = true;
	return process;
}

/* An empty array with room. */
static int reserve(void **array, size_t *room, size_t count, size_t size)
{
	size_t bytes;

	if (*room || !count)
		return 0;
	*array = __builtin_mul_overflow(count, size, &bytes) ? NULL : own_memory_array(bytes);
	if (!*array)
		return -ENOMEM;
	*room = count;
	return 0;
}

int capture_reserve(struct capture *c, size_t regions)
{
	struct memoir_snapshot *s = c->snap;
	void *captured = s->captured.regions, *objects = s->objects;
	int err = reserve(&captured, &s->captured.room, regions, sizeof(*s->captured.regions));

	/* Most objects are families. */
	if (!err && !c->options.without_regions)
		err = reserve(&objects, &s->object_room, regions, sizeof(*s->objects));
	s->captured.regions = captured;
	s->objects = objects;
	return err;
}

struct region *capture_add_region(struct capture *c, uint32_t process)
{
	struct captured *captured = &c->snap->captured;
	struct memoir_process *p = &c->snap->processes[process];
	struct region *regions = captured->count < MEMOIR_NONE - 1
					 ? grow(captured->regions, &captured->room,
						captured->count + 1, sizeof(*regions))
					 : NULL;

	if (!regions) {
		c->error = -ENOMEM;
		return NULL;
	}
	captured->regions = regions;
	if (p->region_count++ == 0)
		p->first_region = (uint32_t)captured->count;
	regions += captured->count++;
	*regions = (struct region){
		.process = process,
		.object = MEMOIR_NONE,
		.family = MEMOIR_NONE,
	};
	return regions;
}

/* How many address spaces have this device and inode so far, this one included. */
static uint32_t next_alias(struct capture *c, uint32_t dev_major, uint32_t dev_minor,
			   uint64_t inode)
{
	uint64_t key = ((uint64_t)dev_major << 52 ^ (uint64_t)dev_minor << 40) + inode;
	uint32_t seen = u64map_get(&c->alias_by_inode, key);
	uint32_t n = seen == U64MAP_NONE ? 1 : seen + 1;

	if (u64map_set(&c->alias_by_inode, key, n) < 0)
		c->error = -ENOMEM;
	return n == 1 ? 0 : n;
}

uint32_t capture_object(struct capture *c, uint64_t key, enum memoir_kind kind, uint32_t dev_major,
			uint32_t dev_minor, uint64_t inode, const char *path, uint64_t size_bytes)
{
	uint32_t known = u64map_get(&c->object_by_key, key);

	if (known != U64MAP_NONE)
		return known;
	uint32_t i = (uint32_t)c->snap->object_count;
	struct memoir_object *object = snapshot_add_object(c->snap);

	if (!object || u64map_set(&c->object_by_key, key, i) < 0) {
		c->error = -ENOMEM;
		return MEMOIR_NONE;
	}
	*object = (struct memoir_object){
		.kind = kind,
		.dev_major = dev_major,
		.dev_minor = dev_minor,
		.inode = inode,
		.alias = next_alias(c, dev_major, dev_minor, inode),
		.path = path,
		.size_bytes = size_bytes,
		.links = MEMOIR_NONE,
	};
	return i;
}

uint32_t capture_family(struct capture *c, uint64_t root)
{
	uint32_t known = u64map_get(&c->object_by_key, root);

	if (known != U64MAP_NONE)
		return known;
	uint32_t i = (uint32_t)c->snap->object_count;
	struct memoir_object *object = snapshot_add_object(c->snap);

	if (!object || u64map_set(&c->object_by_key, root, i) < 0) {
		c->error = -ENOMEM;
		return MEMOIR_NONE;
	}
	object->kind = MEMOIR_KIND_ANON;
	object->is_family = true;
	object->inode = ++c->families;
	return i;
}

void capture_add_peer(struct capture *c, struct memoir_process *process, pid_t pid)
{
	pid_t *peers;

	if (process->pid == pid)
		return; /* another thread of a process whose leader has exited */
	for (uint32_t i = 0; i < process->peer_count; i++)
		if (process->peers[i] == pid)
			return;
	peers = realloc((void *)process->peers, (process->peer_count + 1) * sizeof(*peers));
	if (!peers) {
		c->error = -ENOMEM;
		return;
	}
	peers[process->peer_count++] = pid;
	process->peers = peers;
}

void capture_lost(struct capture *c, uint32_t process)
{
	c->snap->processes[process].readable = false;
	pthread_mutex_lock(&c->lock);
	c->snap->vanished += c->snap->processes[process].in_scope;
	pthread_mutex_unlock(&c->lock);
}

void capture_progress(struct capture *c, size_t done)
{
	if (c->options.progress)
		c->options.progress(done, c->snap->process_count, c->options.progress_arg);
}

void capture_settle_scope(struct capture *c)
{
	for (size_t i = 0; i < c->snap->process_count; i++) {
		struct memoir_process *process = &c->snap->processes[i];

		process->in_scope =
			!c->options.wants || c->options.wants(process, c->options.wants_arg);
		c->denied += process->in_scope && !process->readable;
	}
}

/* ---- threads -------------------------------------------------------------------------------- */

struct shift {
	struct capture *c;
	int (*work)(struct capture *c, uint32_t process, void *scratch);
	size_t scratch_bytes;
	pthread_t captain;
	uint32_t next;
	int error;
};

static void take_processes(void *arg)
{
	struct shift *shift = arg;
	void *scratch = malloc(shift->scratch_bytes);
	uint32_t count = (uint32_t)shift->c->snap->process_count;

	if (!scratch) {
		__atomic_store_n(&shift->error, -ENOMEM, __ATOMIC_RELAXED);
		return;
	}
	for (;;) {
		uint32_t i = __atomic_fetch_add(&shift->next, 1, __ATOMIC_RELAXED);

		if (i >= count)
			break;
		if (pthread_equal(pthread_self(), shift->captain))
			capture_progress(shift->c, i);
		int err = shift->work(shift->c, i, scratch);

		if (err)
			__atomic_store_n(&shift->error, err, __ATOMIC_RELAXED);
	}
	free(scratch);
}

int capture_parallel(struct capture *c,
		     int (*work)(struct capture *c, uint32_t process, void *scratch),
		     size_t scratch_bytes)
{
	struct shift shift = {
		.c = c,
		.work = work,
		.scratch_bytes = scratch_bytes,
		.captain = pthread_self(),
	};

	crew_run(c->memoir->threads, take_processes, &shift);
	return shift.error;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void keep_meminfo(const char *key, uint64_t value, void *arg)
{
	snapshot_add_meminfo(arg, key, value);
}

static int run_method(struct capture *c, enum memoir_engine engine, struct memoir_error *error)
{
	c->snap->engine = engine;
	c->by_spans = !capture_wants_sets(c);
	c->by_folio = capture_wants_sets(c) && kroot_is_live(c->memoir->root) &&
		      folios_may_be_split(c->memoir->root, engine == MEMOIR_ENGINE_TABLES);
	switch (engine) {
	case MEMOIR_ENGINE_TABLES:
		return capture_by_tables(c, error);
	case MEMOIR_ENGINE_SCAN:
		return capture_by_scan(c, error);
	case MEMOIR_ENGINE_TEXT:
		return capture_by_text(c, error);
	case MEMOIR_ENGINE_SMAPS:
		return capture_by_smaps(c, error);
	default:
		return error_set(error, -EINVAL, "there is no such engine");
	}
}

static enum memoir_engine choose(struct capture *c)
{
	struct memoir *memoir = c->memoir;
	struct walk *walk;

	if (memoir->engine != MEMOIR_ENGINE_AUTO)
		return memoir->engine;
	if (!kroot_is_live(memoir->root) || !pagemap_shows_frames(memoir->root))
		return MEMOIR_ENGINE_SMAPS;
	walk = capture_open_walk(c, NULL);
	if (!walk)
		return MEMOIR_ENGINE_TEXT;
	if (walk_calibrate(walk, memoir->root) == 0)
		return MEMOIR_ENGINE_TABLES;
	return pagemap_scan_probe(memoir->root) == 0 ? MEMOIR_ENGINE_SCAN : MEMOIR_ENGINE_TEXT;
}

static void capture_free(struct capture *c)
{
	capture_holders_end(c);
	capture_kinds_free(c);
	capture_parts_free(c);
	capture_forget_tasks(c);
	capture_naming_free(c);
	announced_free(&c->announced);
	tally_free(&c->tally);
	spans_free(&c->spans);
	presence_free(&c->presence);
	free(c->notes);
	free(c->unsettled);
	u64map_free(&c->process_by_mm);
	u64map_free(&c->object_by_key);
	u64map_free(&c->alias_by_inode);
	u64map_free(&c->backing);
	free(c->backing_keys);
	internal_devs_free(&c->devs);
	unix_queues_free(&c->queues);
	pthread_mutex_destroy(&c->lock);
	memoir_snapshot_free(c->snap);
}

static int keep_scope(struct capture *c)
{
	const char *scope = c->options.scope ? c->options.scope : "";

	if (!c->options.wants)
		return 0;
	c->snap->scope = snapshot_string(c->snap, scope);
	return c->snap->scope ? 0 : -ENOMEM;
}

int capture_machine(struct capture *c, struct memoir_error *error)
{
	int err;

	c->snap->meminfo_count = 0; /* it was tried before */
	err = meminfo_read(c->memoir->root, keep_meminfo, c->snap);
	if (err)
		return error_set_about(error, err, 0, "/proc/meminfo",
				       "/proc/meminfo can't be read: %s; is /proc mounted?",
				       strerror(-err));
	err = capture_frames(c);
	if (!err && kroot_is_live(c->memoir->root)) {
		c->zero_frame = pagemap_zero_frame(c->memoir->root);
		internal_devs_find(c->memoir->root, &c->devs);
	}
	c->machine_known = !err;
	return err;
}

static int capture_run(struct capture *c, struct memoir_error *error)
{
	enum memoir_engine engine;
	struct timespec now;
	int err;

	clock_gettime(CLOCK_REALTIME, &now);
	c->snap->taken_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	err = keep_scope(c);
	/* All frames are counted before anything is loaded that takes some. */
	if (!err && c->options.frames)
		err = capture_machine(c, error);
	if (err)
		return err;
	engine = choose(c);
	if (!c->machine_known)
		err = capture_machine(c, error);
	if (err)
		return err;
	capture_holders_begin(c);
	err = run_method(c, engine, error);
	if (!err)
		err = c->error;
	if (!err)
		err = capture_names_begin(c);
	if (!err)
		err = capture_holders(c);
	if (!err)
		err = capture_names_end(c);
	if (!err)
		err = capture_finish(c);
	if (!err)
		err = capture_kinds_begin(c);
	if (!err)
		err = capture_figures(c);
	return err;
}

/*
 * A process asked for may call exec between being listed and being looked at; in a partial capture its
 * new address space is then not among those wanted. It is there, so it is looked for again.
 */
static bool missed_by_exec(const struct capture *c)
{
	return c->options.wants && c->snap->vanished;
}

static int capture_once(struct memoir *memoir, const struct memoir_capture_options *options,
			bool last, struct memoir_snapshot **ret_snapshot,
			struct memoir_error *error)
{
	struct capture c = { .memoir = memoir, .options = *options };
	int err = -ENOMEM;

	/* All of these are told of regions. */
	if (options->without_regions)
		c.options.without_kinds = c.options.without_names = c.options.without_sets = true;
	pthread_mutex_init(&c.lock, NULL);
	c.snap = snapshot_new();
	if (c.snap && tally_init(&c.tally) == 0)
		err = capture_run(&c, error);
	if (!err && !last && missed_by_exec(&c)) {
		err = -EAGAIN;
	} else if (!err) {
		*ret_snapshot = c.snap;
		c.snap = NULL;
	}
	capture_free(&c);
	return err;
}

int memoir_capture(struct memoir *memoir, const struct memoir_capture_options *options,
		   struct memoir_snapshot **ret_snapshot, struct memoir_error *error)
{
	struct memoir_capture_options set = { .sz = sizeof(set) };
	int err = 0;

	if (error)
		*error = (struct memoir_error){ 0 };
	if (options)
		err = options_copy(&set, sizeof(set), options, options->sz,
				   "struct memoir_capture_options", error);
	if (err)
		return err;
	err = -EAGAIN;
	for (int tries = 3; err == -EAGAIN && tries; tries--)
		err = capture_once(memoir, &set, tries == 1, ret_snapshot, error);
	if (err && error && !error->code)
		error_set(error, err, "capture failed: %s", strerror(-err));
	return err;
}
