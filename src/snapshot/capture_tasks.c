// SPDX-License-Identifier: MIT
/*
 * Processes from the BPF walk. What the kernel tells of them is asked for while the rest of the walk is still being
 * loaded, and made into processes afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/grow.h"
#include "kernel/process.h"
#include "snapshot/capture.h"

#define NS_PER_TICK 10000000u /* USER_HZ is 100 in every ABI that memoir runs on */

static uint64_t ticks_since_boot(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_nsec / NS_PER_TICK;
}

static void keep_task(const struct walk_task *task, void *arg)
{
	struct found_tasks *found = arg;
	struct walk_task *tasks =
		grow(found->tasks, &found->room, found->count + 1, sizeof(*tasks));

	if (!tasks) {
		found->error = -ENOMEM;
		return;
	}
	tasks[found->count++] = *task;
	found->tasks = tasks;
}

static int keep_pid(pid_t pid, void *arg)
{
	struct found_tasks *found = arg;
	pid_t *pids = grow(found->pids, &found->pid_room, found->pid_count + 1, sizeof(*pids));

	if (!pids)
		return -ENOMEM;
	pids[found->pid_count++] = pid;
	found->pids = pids;
	return 0;
}

void capture_forget_tasks(struct capture *c)
{
	free(c->found.tasks);
	free(c->found.pids);
	c->found = (struct found_tasks){ 0 };
}

int capture_find_tasks(struct capture *c, struct walk *walk)
{
	struct found_tasks *found = &c->found;
	int err;

	if (found->by == walk)
		return 0;
	/* By one that was given up since: the other has other files, or none. */
	capture_forget_tasks(c);
	found->since_ticks = ticks_since_boot();
	walk_want_files(walk, capture_lists_files(c));
	err = walk_tasks(walk, keep_task, found);
	if (!err)
		err = found->error;
	if (!err)
		err = process_each(c->memoir->root, keep_pid, found);
	if (err)
		capture_forget_tasks(c);
	else
		found->by = walk;
	return err;
}

static void find_meanwhile(struct walk *walk, void *arg)
{
	struct capture *c = arg;

	/* What fails is done again afterwards, and then said. */
	capture_find_tasks(c, walk);
	if (!c->machine_known)
		capture_machine(c, NULL);
	capture_holders_begin(c);
}

struct walk *capture_open_walk(struct capture *c, struct memoir_error *error)
{
	struct memoir *memoir = c->memoir;
	bool by_tables =
		memoir->engine == MEMOIR_ENGINE_AUTO || memoir->engine == MEMOIR_ENGINE_TABLES;

	memoir->wants_names |= c->options.many_names && capture_wants_names(c);
	c->walk = c->options.without_regions && !c->options.wants && by_tables
			  ? memoir_walk_for_sums(memoir, find_meanwhile, c, error)
			  : memoir_walk_while(memoir, find_meanwhile, c, error);
	return c->walk;
}

struct listing {
	struct capture *c;
	struct u64map cgroup_by_css_set; /* → process that has it */
	struct u64map seen;              /* pids, also those without memory */
};

/* Processes in the same cgroups share one css_set, so /proc/PID/cgroup is read once for each. */
static const char *cgroup_of(struct listing *l, const struct walk_task *task, uint32_t process)
{
	uint32_t like = u64map_get(&l->cgroup_by_css_set, task->css_set);
	char path[1024];

	if (like != U64MAP_NONE)
		return l->c->snap->processes[like].cgroup;
	if (process_cgroup(l->c->memoir->root, (pid_t)task->tgid, path, sizeof(path)) < 0)
		return NULL;
	if (u64map_set(&l->cgroup_by_css_set, task->css_set, process) < 0)
		l->c->error = -ENOMEM;
	return snapshot_string(l->c->snap, path);
}

static void take_task(struct listing *l, const struct walk_task *task)
{
	struct capture *c = l->c;
	uint32_t i = u64map_get(&c->process_by_mm, task->mm);
	struct process_note *note;

	if (u64map_set(&l->seen, task->tgid, 0) < 0)
		c->error = -ENOMEM;
	if (!task->mm || task->bits & WALK_KTHREAD || task->tgid == (uint32_t)c->memoir->self)
		return;
	if (i != U64MAP_NONE) {
		capture_add_peer(c, &c->snap->processes[i], (pid_t)task->tgid);
		return;
	}
	i = (uint32_t)c->snap->process_count;
	struct memoir_process *process = capture_add_process(c, &note);

	if (!process || u64map_set(&c->process_by_mm, task->mm, i) < 0) {
		c->error = -ENOMEM;
		return;
	}
	*note = (struct process_note){
		.mm = task->mm,
		.start_brk = task->start_brk,
		.brk = task->brk,
		.start_stack = task->start_stack,
		.tgid = (pid_t)task->tgid,
		.tid = (pid_t)task->tid,
		.vmas = task->map_count,
		.seq = task->seq,
	};
	c->vmas_expected += task->map_count;
	process->threads = task->threads;
	process->pid = (pid_t)task->tgid;
	process->ppid = (pid_t)task->ppid;
	process->uid = task->uid;
	process->start_ticks = task->start_ns / NS_PER_TICK;
	process->comm = snapshot_string_n(c->snap, task->comm, sizeof(task->comm));
	process->page_table_bytes = task->page_table_bytes;
	process->page_table_known = true;
	process->cgroup = cgroup_of(l, task, i);
}

/* What /proc lists and the iterator did not show: it is there, so it is said. */
static int take_unseen(struct listing *l, pid_t pid)
{
	struct capture *c = l->c;
	struct process_stat stat;
	struct process_status status;
	struct process_note *note;

	if (u64map_get(&l->seen, (uint64_t)pid) != U64MAP_NONE || pid == c->memoir->self ||
	    process_stat(c->memoir->root, pid, &stat) < 0)
		return 0;
	if (stat.kernel_thread || stat.state == 'Z' || stat.start_ticks >= c->found.since_ticks)
		return 0;
	struct memoir_process *process = capture_add_process(c, &note);

	if (!process)
		return -ENOMEM;
	note->tgid = note->tid = pid;
	process->pid = pid;
	process->ppid = stat.ppid;
	process->start_ticks = stat.start_ticks;
	process->uid =
		process_status(c->memoir->root, pid, pid, &status) == 0 ? status.uid : (uid_t)-1;
	process->comm = snapshot_string(c->snap, stat.comm);
	process->readable = false;
	return 0;
}

int capture_list_tasks(struct capture *c, struct walk *walk)
{
	struct listing l = { .c = c };
	int err = capture_find_tasks(c, walk);

	for (size_t i = 0; i < c->found.count; i++)
		take_task(&l, &c->found.tasks[i]);
	for (size_t i = 0; i < c->found.pid_count && !err; i++)
		err = take_unseen(&l, c->found.pids[i]);
	capture_forget_tasks(c);
	u64map_free(&l.cgroup_by_css_set);
	u64map_free(&l.seen);
	capture_settle_scope(c);
	/* With some that are born meanwhile: memory that is not touched costs nothing. Where VMAs join, few regions. */
	if (!err)
		err = capture_reserve(c, c->joins ? c->vmas_expected / 4
						  : c->vmas_expected + c->vmas_expected / 8);
	return err ? err : c->error;
}
