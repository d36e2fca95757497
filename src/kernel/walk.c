// SPDX-License-Identifier: MIT
/*
 * Runs the BPF programs of bpf/tasks.bpf.c and of the walks of VMAs, and hands out their records; draws no
 * conclusions.
 */
#include "kernel/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "kernel/cpus.h"
#include "kernel/walk_pump.h"
#include "kernel/walk_skeleton.h"

int walk_seq_kind(const struct walk *walk)
{
	return (int)walk->walkers->state.seq_kind;
}

bool walk_casts(const struct walk *walk)
{
	return walk->casts;
}

bool walk_is_lockless(const struct walk *walk)
{
	return walk->lockless;
}

enum walk_program walk_loaded(const struct walk *walk)
{
	return walk->loaded;
}

/* ---- reading the stream --------------------------------------------------------------------- */

typedef int (*record_fn)(struct walk *walk, const struct walk_head *head, void *arg);

struct record_run {
	struct walk *walk;
	record_fn record;
	void *arg;
};

static int on_arena(const char *records, uint64_t used, void *arg)
{
	struct record_run *rr = arg;
	int err = 0;

	rr->walk->table = NULL;
	rr->walk->object = NULL;
	rr->walk->sent_path = NULL;
	for (uint64_t at = 0; at < used && !err;) {
		const struct walk_head *head = (const void *)(records + at);

		err = rr->record(rr->walk, head, rr->arg);
		at += head->bytes;
	}
	return err;
}

/* ---- iterators ------------------------------------------------------------------------------ */

struct iterator {
	struct walk_source source;
	int fd;
};

static int read_iterator(struct walk_source *source, unsigned int walker, enum walk_fill *ret_fill)
{
	char byte;
	ssize_t got = read(((struct iterator *)source)->fd, &byte, sizeof(byte));

	(void)walker;
	/* EAGAIN: the arena is full, or very many objects were passed over. */
	if (got < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	*ret_fill = got == 0 ? WALK_FILL_END : WALK_FILL_GOES_ON;
	return 0;
}

/* By the system call itself, as the skeleton does all else: so the program needs no libbpf to run. */
static int iterate(int link, struct walk_source source, struct record_run *rr)
{
	union bpf_attr attr = { .iter_create.link_fd = (unsigned int)link };
	struct iterator iterator = { source, skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof(attr)) };

	if (iterator.fd < 0)
		return -errno;
	iterator.source.fill = read_iterator;
	int err = walk_pump(&iterator.source, on_arena, rr);

	close(iterator.fd);
	return err;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

struct task_run {
	void (*task)(const struct walk_task *task, void *arg);
	void *arg;
};

static int keep_file(struct walk *walk, const struct file_record *file)
{
	struct file_record *files =
		grow(walk->files, &walk->file_room, walk->file_count + 1, sizeof(*files));

	if (!files)
		return -ENOMEM;
	walk->files = files;
	files[walk->file_count++] = *file;
	return 0;
}

static int on_task_record(struct walk *walk, const struct walk_head *head, void *arg)
{
	const struct walk_task *task = (const void *)head;
	struct task_run *tr = arg;
	int err = 0;

	if (head->kind == WALK_FILE)
		return keep_file(walk, &((const struct walk_file_of_task *)head)->file);
	if (head->kind != WALK_TASK)
		return -EBADMSG;
	walk_witness(walk, task);
	if (task->mm && !(task->bits & WALK_KTHREAD))
		err = walk_targets_add(&walk->targets, task);
	if (tr->task)
		tr->task(task, tr->arg);
	return err;
}

static int list_tasks(struct walk *walk, bool files,
		      void (*task)(const struct walk_task *task, void *arg), void *arg)
{
	struct tasks_bpf__bss *shared = walk->tasks->bss;
	const struct walk_source source = {
		.states = { &shared->state },
		.bytes = walk->tasks_arena,
		.stride = WALK_TASKS_STRIDE,
		.alone = true,
	};
	struct task_run tr = { task, arg };
	struct record_run rr = { walk, on_task_record, &tr };

	walk->targets.count = 0;
	walk->targets.unused = true;
	shared->wants_files = files;
	shared->lister.full = 0;
	return iterate(walk->task_link, source, &rr);
}

int walk_tasks(struct walk *walk, void (*task)(const struct walk_task *task, void *arg), void *arg)
{
	walk->file_count = 0;
	int err = list_tasks(walk, walk->wants_files, task, arg);

	walk->files_listed = walk->wants_files && !err;
	return err;
}

void walk_want_files(struct walk *walk, bool wanted)
{
	walk->wants_files = wanted;
}

/* ---- VMAs ----------------------------------------------------------------------------------- */

struct vma_run {
	const struct walk_visitor *visitor;
	void *arg;
	uint64_t start, end; /* of the last VMA */
};

/* What the last table has of the last VMA. */
static int visit_table(const struct walk *walk, const struct vma_run *vr)
{
	const struct walk_table *table = walk->table;

	if (!table)
		return -EBADMSG;
	uint64_t count = (table->head.bytes - sizeof(*table)) / sizeof(table->entries[0]);
	uint64_t from = table->addr > vr->start ? table->addr : vr->start,
		 end = table->addr + count * PAGE_BYTES;

	if (end > vr->end)
		end = vr->end;
	if (vr->visitor->table && from < end)
		vr->visitor->table(from, table->entries + (from - table->addr) / PAGE_BYTES,
				   (end - from) / PAGE_BYTES, vr->arg);
	return 0;
}

static int visit_vma(struct walk *walk, const struct walk_vma *vma, struct vma_run *vr)
{
	const struct walk_object *object = vma->bits & WALK_MAPS_OBJECT ? walk->object : NULL;
	const char *path = object                      ? walk_path(walk, vma)
			   : vma->bits & WALK_LABELLED ? walk->label
						       : "";

	if (vma->bits & WALK_MAPS_OBJECT && !object)
		return -EBADMSG;
	vr->visitor->vma(vma, object, path, vma->bits & WALK_NAMED ? walk->name : NULL, vr->arg);
	vr->start = vma->start;
	vr->end = vma->end;
	return vma->bits & WALK_COVERED ? visit_table(walk, vr) : 0;
}

static int on_vma_record(struct walk *walk, const struct walk_head *head, void *arg)
{
	struct vma_run *vr = arg;
	const struct walk_text *text = (const void *)head;
	const struct walk_huge *huge = (const void *)head;

	switch (head->kind) {
	case WALK_PATH:
		walk->sent_path = text;
		return text->id ? walk_keep_path(walk, text->id, text->bytes, text->len) : 0;
	case WALK_NAME:
		memcpy(walk->name, text->bytes, text->len);
		walk->name[text->len] = '\0';
		break;
	case WALK_LABEL:
		memcpy(walk->label, text->bytes, text->len);
		walk->label[text->len] = '\0';
		break;
	case WALK_OBJECT:
		return walk_enter_object(walk, (const struct walk_object *)head);
	case WALK_VMA:
		return visit_vma(walk, (const struct walk_vma *)head, vr);
	case WALK_TABLE:
		walk->table = (const struct walk_table *)head;
		return visit_table(walk, vr);
	case WALK_HUGE:
		if (vr->visitor->huge)
			vr->visitor->huge(huge->addr, huge->entry, huge->span_bytes, vr->arg);
		break;
	case WALK_LEFT:
		return walk_rest(walk, (const struct walk_left *)head, vr->visitor, vr->arg);
	case WALK_COUNTERS:
		vr->visitor->counters((const struct walk_counters *)head, vr->arg);
		break;
	case WALK_NAMES:
		vr->visitor->names((const struct walk_names *)head, vr->arg);
		break;
	default:
		return -EBADMSG;
	}
	return 0;
}

/* Of how many CPUs the parts make a counter; 0: counters can't be used. */
static uint32_t counted_cpus(const struct walk *walk)
{
	const struct walk_layout *layout = walk->layout;
	unsigned int cpus;

	/* Copies of files' pages are counted as well: those have to be told by struct page. */
	if (walk->loaded != WALK_SUMS || !walk->config->vmemmap || !layout->mm_anon ||
	    !layout->mm_swap)
		return 0;
	cpus = cpus_in_row(walk->root);
	return cpus <= WALK_CPUS_MAX ? cpus : 0;
}

bool walk_has_counters(const struct walk *walk)
{
	return counted_cpus(walk);
}

static int begin(struct walk *walk, enum walk_scope scope, bool tables,
		 const struct walk_visitor *visitor)
{
	struct walk_config *config = walk->config;

	if ((tables && !walk->tables_work) ||
	    (scope == WALK_LISTED_OBJECTS && walk->loaded == WALK_SUMS))
		return -EOPNOTSUPP;
	config->scope = scope;
	config->tables = tables;
	config->names = tables && visitor->names;
	config->names_epoch = visitor->names_epoch;
	config->few_paths = visitor->few_paths;
	/* Anew each time: some may have come. */
	config->cpus = tables && visitor->counters ? counted_cpus(walk) : 0;
	config->generation++;
	for (uint32_t i = 0; i < WALK_WALKERS; i++)
		walk->walkers[i] = (struct walker){ 0 };
	walk_forget_paths(walk);
	return 0;
}

static int walk_by_iterator(struct walk *walk, int link, const struct walk_visitor *visitor,
			    void *arg)
{
	const struct walk_source source = {
		.states = { &walk->walkers[0].state },
		.bytes = walk->arena,
		.stride = WALK_ARENA_STRIDE,
		.begun = visitor->begun,
		.begun_arg = arg,
	};
	struct vma_run vr = { .visitor = visitor, .arg = arg };
	struct record_run rr = { walk, on_vma_record, &vr };

	return iterate(link, source, &rr);
}

/* only: of one process, 0: of all. */
static int walk_targets_of(struct walk *walk, pid_t only, const struct walk_visitor *visitor,
			   void *arg)
{
	struct target_walk tw;
	struct vma_run vr = { .visitor = visitor, .arg = arg };
	struct record_run rr = { walk, on_vma_record, &vr };

	walk_targets_source(walk, only, &tw);
	tw.source.begun = visitor->begun;
	tw.source.begun_arg = arg;
	return walk_pump(&tw.source, on_arena, &rr);
}

/* Processes that are there still, though not where they were listed. */
static int walk_successors(struct walk *walk, const struct walk_visitor *visitor, void *arg)
{
	struct walk_targets gone = walk_targets_take_gone(walk);
	struct walk_visitor again = *visitor;
	int err = gone.count ? list_tasks(walk, false, NULL, NULL) : 0;

	again.begun = NULL;
	walk->targets.unused = false;
	if (gone.count && !err && walk_targets_keep_successors(&walk->targets, &gone))
		err = walk_targets_of(walk, 0, &again, arg);
	free(gone.list);
	return err;
}

/* What was listed before another walk may be long ago. */
static int list_targets(struct walk *walk)
{
	return walk->targets.unused ? 0 : list_tasks(walk, false, NULL, NULL);
}

int walk_vmas(struct walk *walk, enum walk_scope scope, bool tables,
	      const struct walk_visitor *visitor, void *arg)
{
	int err = begin(walk, scope, tables, visitor);

	if (err)
		return err;
	if (!walk->lockless)
		return walk_by_iterator(walk, walk->vma_link, visitor, arg);
	err = list_targets(walk);
	walk->targets.unused = false;
	if (!err)
		err = walk_targets_of(walk, 0, visitor, arg);
	return err ? err : walk_successors(walk, visitor, arg);
}

/* An iterator that visits one process only, of whatever size the others are. Linux 6.1. */
static int link_to_process(struct walk *walk, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = (unsigned int)pid };
	union bpf_attr attr = {
		.link_create.prog_fd = (unsigned int)walk->program,
		.link_create.attach_type = BPF_TRACE_ITER,
		.link_create.iter_info = (uint64_t)(uintptr_t)&info,
		.link_create.iter_info_len = sizeof(info),
	};
	int link = skel_sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));

	return link < 0 ? -errno : link;
}

int walk_vmas_of(struct walk *walk, pid_t pid, bool tables, const struct walk_visitor *visitor,
		 void *arg)
{
	int err = begin(walk, WALK_LISTED_MMS, tables, visitor);

	if (err)
		return err;
	if (walk->lockless) {
		err = list_targets(walk);
		return err ? err : walk_targets_of(walk, pid, visitor, arg);
	}

	int link = link_to_process(walk, pid);

	if (link < 0)
		return link;
	err = walk_by_iterator(walk, link, visitor, arg);
	close(link);
	return err;
}

/* ---- what is wanted ------------------------------------------------------------------------- */

int walk_wanted_clear(struct walk *walk)
{
	const struct u64map *listed = &walk->listed;

	for (size_t i = 0; i < listed->slot_count && walk->wanted >= 0; i++)
		if (listed->slots[i].value != U64MAP_NONE)
			skel_map_delete_elem(walk->wanted, &listed->slots[i].key);
	u64map_free(&walk->listed);
	return 0;
}

bool walk_is_listed(const struct walk *walk, uint64_t key)
{
	return u64map_get(&walk->listed, key) != U64MAP_NONE;
}

int walk_wanted_add(struct walk *walk, uint64_t key)
{
	uint32_t one = 1;

	if (walk_is_listed(walk, key))
		return 0;
	if (walk->wanted >= 0 && skel_map_update_elem(walk->wanted, &key, &one, BPF_ANY) < 0)
		return -errno;
	return u64map_set(&walk->listed, key, one);
}
