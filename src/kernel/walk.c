// SPDX-License-Identifier: MIT
/*
 * Runs the BPF iterators of bpf/tasks.bpf.c and of the walks of VMAs, and hands out their records; draws no
 * conclusions.
 */
#include "kernel/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "kernel/walk_pump.h"
#include "kernel/walk_skeleton.h"

/* By the system call itself, as the skeleton does all else: so the program needs no libbpf to run. */
static int iter_create(int link)
{
	union bpf_attr attr = { .iter_create.link_fd = (unsigned int)link };

	return skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof(attr));
}

int walk_seq_kind(const struct walk *walk)
{
	return (int)walk->state->seq_kind;
}

bool walk_casts(const struct walk *walk)
{
	return walk->casts;
}

bool walk_is_lockless(const struct walk *walk)
{
	return walk->lockless;
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

	for (uint64_t at = 0; at < used && !err;) {
		const struct walk_head *head = (const void *)(records + at);

		err = rr->record(rr->walk, head, rr->arg);
		at += head->bytes;
	}
	return err;
}

static int run(struct walk *walk, int link, const struct walk_arenas *arenas, record_fn record,
	       void *arg)
{
	struct record_run rr = { walk, record, arg };
	int iter = iter_create(link);

	if (iter < 0)
		return -errno;
	int err = walk_pump(iter, arenas, on_arena, &rr);

	close(iter);
	return err;
}

struct task_run {
	void (*task)(const struct walk_task *task, void *arg);
	void *arg;
};

static int on_task_record(struct walk *walk, const struct walk_head *head, void *arg)
{
	const struct walk_task *task = (const void *)head;
	struct task_run *tr = arg;

	if (head->kind != WALK_TASK)
		return 0;
	walk_witness(walk, task);
	tr->task(task, tr->arg);
	return 0;
}

int walk_tasks(struct walk *walk, void (*task)(const struct walk_task *task, void *arg), void *arg)
{
	struct walk_arenas arenas = { &walk->tasks->bss->state, walk->tasks_arena,
				      WALK_TASKS_STRIDE };
	struct task_run tr = { task, arg };

	return run(walk, walk->task_link, &arenas, on_task_record, &tr);
}

struct vma_run {
	const struct walk_visitor *visitor;
	void *arg;
};

static void visit_vma(struct walk *walk, const struct walk_vma *vma, struct vma_run *vr)
{
	const char *path = vma->path ? walk_path(walk, vma) : vma->label;

	vr->visitor->vma(vma, path, vma->bits & WALK_NAMED ? walk->name : NULL, vr->arg);
}

static int on_vma_record(struct walk *walk, const struct walk_head *head, void *arg)
{
	struct vma_run *vr = arg;
	const struct walk_text *text = (const void *)head;
	const struct walk_table *table = (const void *)head;
	const struct walk_huge *huge = (const void *)head;

	switch (head->kind) {
	case WALK_PATH:
		return walk_keep_path(walk, text->id, text->bytes, text->len);
	case WALK_NAME:
		memcpy(walk->name, text->bytes, text->len);
		walk->name[text->len] = '\0';
		break;
	case WALK_VMA:
		visit_vma(walk, (const struct walk_vma *)head, vr);
		break;
	case WALK_TABLE:
		if (vr->visitor->table)
			vr->visitor->table(table->addr, table->entries,
					   (head->bytes - sizeof(*table)) /
						   sizeof(table->entries[0]),
					   vr->arg);
		break;
	case WALK_HUGE:
		if (vr->visitor->huge)
			vr->visitor->huge(huge->addr, huge->entry, huge->span_bytes, vr->arg);
		break;
	case WALK_LEFT:
		return walk_rest(walk, (const struct walk_left *)head, vr->visitor, vr->arg);
	case WALK_NAMES:
		vr->visitor->names((const struct walk_names *)head, vr->arg);
		break;
	default:
		return -EBADMSG;
	}
	return 0;
}

static int walk_by(struct walk *walk, int link, enum walk_scope scope, bool tables,
		   const struct walk_visitor *visitor, void *arg)
{
	struct walk_config *config = walk->config;
	struct walk_state *state = walk->state;
	struct walk_arenas arenas = { state, walk->arena, WALK_ARENA_STRIDE };
	struct vma_run vr = { visitor, arg };

	if (tables && !walk->tables_work)
		return -EOPNOTSUPP;
	config->scope = scope;
	config->tables = tables;
	config->names = tables && visitor->names;
	config->names_epoch = visitor->names_epoch;
	config->generation++;
	state->next_path = 0;
	state->file = (struct walk_file){ 0 };
	*walk->walker = (struct walker){ 0 };
	state->last_mm = state->last_file = 0;
	state->last_mm_wanted = state->last_file_wanted = 0;
	walk_forget_paths(walk);
	state->resume_addr = 0;
	return run(walk, link, &arenas, on_vma_record, &vr);
}

int walk_vmas(struct walk *walk, enum walk_scope scope, bool tables,
	      const struct walk_visitor *visitor, void *arg)
{
	return walk_by(walk, walk->vma_link, scope, tables, visitor, arg);
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
	int link = link_to_process(walk, pid);

	if (link < 0)
		return link;
	int err = walk_by(walk, link, WALK_LISTED_MMS, tables, visitor, arg);

	close(link);
	return err;
}

int walk_wanted_clear(struct walk *walk)
{
	int fd = walk->wanted;

	for (size_t i = 0; i < walk->listed_count; i++)
		skel_map_delete_elem(fd, &walk->listed[i]);
	walk->listed_count = 0;
	return 0;
}

int walk_wanted_add(struct walk *walk, uint64_t key)
{
	uint64_t *listed =
		grow(walk->listed, &walk->listed_room, walk->listed_count + 1, sizeof(key));
	uint32_t one = 1;

	if (!listed)
		return -ENOMEM;
	walk->listed = listed;
	int err = skel_map_update_elem(walk->wanted, &key, &one, BPF_NOEXIST);

	if (err < 0)
		return err == -EEXIST || errno == EEXIST ? 0 : -errno;
	listed[walk->listed_count++] = key;
	return 0;
}
