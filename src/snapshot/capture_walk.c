// SPDX-License-Identifier: MIT
/*
 * Processes and regions from the BPF walk, and which of them a partial capture needs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel/process.h"
#include "snapshot/capture.h"

#define ANON_INODE_FS_MAGIC 0x09041934 /* linux/magic.h */

/* ---- tasks ---------------------------------------------------------------------------------- */

struct listing {
	struct capture *c;
	struct u64map cgroup_by_css_set; /* → process that has it */
	struct u64map seen;              /* pids, also those without memory */
	uint64_t started_ticks;          /* since boot */
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

#define NS_PER_TICK 10000000u /* USER_HZ is 100 in every ABI that memoir runs on */

static void take_task(const struct walk_task *task, void *arg)
{
	struct listing *l = arg;
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
		.tid = task->tid,
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
static int take_unseen(pid_t pid, void *arg)
{
	struct listing *l = arg;
	struct capture *c = l->c;
	struct process_stat stat;
	struct process_status status;
	struct process_note *note;

	if (u64map_get(&l->seen, (uint64_t)pid) != U64MAP_NONE || pid == c->memoir->self ||
	    process_stat(c->memoir->root, pid, &stat) < 0)
		return 0;
	if (stat.kernel_thread || stat.state == 'Z' || stat.start_ticks >= l->started_ticks)
		return 0;
	struct memoir_process *process = capture_add_process(c, &note);

	if (!process)
		return -ENOMEM;
	note->tid = (uint32_t)pid;
	process->pid = pid;
	process->ppid = stat.ppid;
	process->start_ticks = stat.start_ticks;
	process->uid =
		process_status(c->memoir->root, pid, pid, &status) == 0 ? status.uid : (uid_t)-1;
	process->comm = snapshot_string(c->snap, stat.comm);
	process->readable = false;
	return 0;
}

static uint64_t ticks_since_boot(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_nsec / NS_PER_TICK;
}

int capture_list_tasks(struct capture *c, struct walk *walk)
{
	struct listing l = { .c = c, .started_ticks = ticks_since_boot() };
	int err = walk_tasks(walk, take_task, &l);

	if (!err)
		err = process_each(c->memoir->root, take_unseen, &l);
	u64map_free(&l.cgroup_by_css_set);
	u64map_free(&l.seen);
	capture_settle_scope(c);
	/* With some that are born meanwhile, and what names may add: memory that is not touched costs nothing. */
	size_t vmas = c->vmas_expected + c->vmas_expected / 8;

	if (!err)
		err = capture_reserve(c, vmas, capture_wants_names(c) ? vmas * 4 : 0);
	return err ? err : c->error;
}

/* ---- VMAs ----------------------------------------------------------------------------------- */

/* A process that called exec since it was listed: its new address space takes the old one's place. */
static uint32_t adopt(struct capture *c, const struct walk_vma *vma)
{
	for (uint32_t i = 0; i < c->snap->process_count; i++) {
		if (c->snap->processes[i].pid != (pid_t)vma->tgid)
			continue;
		if (c->snap->processes[i].region_count || c->snap->processes[i].peer_count)
			return U64MAP_NONE;
		c->notes[i].mm = vma->mm;
		c->notes[i].stale_comm = true;
		if (u64map_set(&c->process_by_mm, vma->mm, i) < 0)
			c->error = -ENOMEM;
		return i;
	}
	return U64MAP_NONE;
}

/*
 * The process to which a VMA belongs, or U64MAP_NONE when it is to be passed over: it is our own, of a
 * process born since, of a thread or peer whose address space was seen already, or seen twice because
 * the kernel's iterator let go of the lock.
 */
static uint32_t owner_of(struct capture *c, const struct walk_vma *vma)
{
	uint32_t i;

	if (vma->tgid == (uint32_t)c->memoir->self)
		return U64MAP_NONE;
	i = u64map_get(&c->process_by_mm, vma->mm);
	if (i == U64MAP_NONE)
		i = adopt(c, vma);
	if (i == U64MAP_NONE || c->notes[i].mm != vma->mm)
		return U64MAP_NONE;

	const struct memoir_process *process = &c->snap->processes[i];
	struct process_note *note = &c->notes[i];

	if (process->region_count == 0) {
		note->tid = vma->tid;
		return i;
	}
	size_t last = (size_t)process->first_region + process->region_count - 1;

	if (note->tid != vma->tid || last + 1 != c->snap->region_count ||
	    c->snap->regions[last].end > vma->start)
		return U64MAP_NONE;
	return i;
}

static void set_perms(char perms[5], uint64_t flags)
{
	perms[0] = flags & VM_READ ? 'r' : '-';
	perms[1] = flags & VM_WRITE ? 'w' : '-';
	perms[2] = flags & VM_EXEC ? 'x' : '-';
	perms[3] = flags & VM_MAYSHARE ? 's' : 'p';
	perms[4] = '\0';
}

/* A library's VMAs come one after the other, with the very same string. */
static const char *path_of(struct capture *c, const char *path)
{
	if (!*path)
		return NULL;
	if (path != c->last_path || path[0] == '[') {
		c->last_path = path;
		c->last_path_kept = snapshot_string(c->snap, path);
	}
	return c->last_path_kept;
}

/* What tells that an offset is enough to know a page by: no driver and no anonymous inode. */
static bool goes_by_offset(const struct walk_vma *vma)
{
	return vma->mapping && S_ISREG(vma->mode) && vma->magic != ANON_INODE_FS_MAGIC &&
	       !(vma->flags & (VM_PFNMAP | VM_MIXEDMAP | VM_IO | VM_HUGETLB));
}

static void note_object(struct capture *c, uint32_t object, const struct walk_vma *vma)
{
	capture_object_facts(c, object,
			     &(struct object_facts){
				     .magic = vma->magic,
				     .mode = vma->mode,
				     .nlink = vma->links,
				     .resident_bytes = vma->resident_pages * PAGE_BYTES,
				     .swapped_bytes = vma->swapped_pages * PAGE_BYTES,
				     /* Until 6.7 a huge page counts as one there. */
				     .resident_known = !(vma->flags & VM_HUGETLB),
			     });
}

static void add_objects(struct capture *c, struct memoir_region *region, const struct walk_vma *vma)
{
	if (vma->mapping) {
		region->offset_bytes = vma->offset_pages * PAGE_BYTES;
		region->object = capture_object(c, vma->mapping, region->kind, vma->dev >> 20,
						vma->dev & 0xfffff, vma->inode, region->path,
						vma->size_bytes);
		note_object(c, region->object, vma);
	}
	if (vma->anon_root)
		region->family = capture_family(c, vma->anon_root);
}

static void take_facts(struct region_count *count, const struct walk_vma *vma)
{
	count->flags = (uint32_t)vma->flags;
	count->has_anon = vma->anon_vma;
	count->has_mapping = vma->mapping;
	count->bits = (uint16_t)vma->bits;
	count->seq = vma->seq;
	count->shmem_swapped = vma->swapped_pages;
	count->text_path = vma->bits & WALK_STACKED;
	count->by_offset = goes_by_offset(vma);
}

static void classify(struct capture *c, struct memoir_region *region, const struct walk_vma *vma)
{
	const struct process_note *note = &c->notes[region->process];

	capture_classify(c, region,
			 &(struct region_facts){
				 .brk_start = note->start_brk,
				 .brk_end = note->brk,
				 .start_stack = note->start_stack,
				 .dev = vma->dev,
				 .magic = vma->magic,
				 .mode = vma->mode,
				 .has_file = vma->mapping,
				 .hugetlb = vma->flags & VM_HUGETLB,
			 });
}

uint32_t capture_take_vma(struct capture *c, const struct walk_vma *vma, const char *path,
			  const char *name)
{
	uint32_t process = owner_of(c, vma), i = (uint32_t)c->snap->region_count;
	struct region_count *count;
	struct memoir_region *region;

	if (process == U64MAP_NONE)
		return MEMOIR_NONE;
	region = capture_add_region(c, process, &count);
	if (!region)
		return MEMOIR_NONE;
	if (c->snap->processes[process].region_count == 1)
		capture_progress(c, process);
	region->start = vma->start;
	region->end = vma->end;
	set_perms(region->perms, vma->flags);
	region->name = snapshot_string(c->snap, name);
	region->path = path_of(c, path);
	region->locked = vma->flags & VM_LOCKED;
	take_facts(count, vma);
	classify(c, region, vma);
	add_objects(c, region, vma);
	capture_settle_later(c, i);
	return i;
}

/* ---- scope ---------------------------------------------------------------------------------- */

/* In a partial capture: the objects of the processes asked for that others may share. */
static void want_objects(const struct walk_vma *vma, const char *path, const char *name, void *arg)
{
	struct capture *c = arg;
	int err = 0;

	(void)path;
	(void)name;
	c->vmas_listed++;
	if (vma->flags & VM_MERGEABLE)
		c->mergeable_listed = true;
	if (vma->mapping && !(vma->bits & WALK_SOLE))
		err = walk_wanted_add(c->memoir->walk, vma->mapping);
	if (!err && vma->anon_root && (!(vma->bits & WALK_ALONE) || vma->flags & VM_MERGEABLE))
		err = walk_wanted_add(c->memoir->walk, vma->anon_root);
	if (err)
		c->error = err;
}

/* One pass over the processes asked for; where it is one only, the others aren't even iterated over. */
static int list_objects(struct capture *c, struct walk *walk, size_t wanted, pid_t only)
{
	struct walk_visitor visitor = { .vma = want_objects };

	/* Before 6.1 there is no such iterator, and 6.1's stops at a leader that has exited. */
	if (wanted == 1 && walk_vmas_of(walk, only, false, &visitor, c) == 0 && c->vmas_listed)
		return c->error;
	int err = walk_vmas(walk, WALK_LISTED_MMS, false, &visitor, c);

	return err ? err : c->error;
}

/* Tables about others are in the memory of supervisors, which docs/NAME-TABLE.md says how to know. */
static bool may_publish(const struct memoir_process *process)
{
	return process->comm && strncmp(process->comm, "memoir", strlen("memoir")) == 0;
}

/* What it costs, in ns: only how they compare matters. */
#define LISTING_NS 170       /* a VMA whose object is asked for */
#define TAKING_IN_NS 150     /* a VMA, more than passing it over */
#define TABLE_BYTES_PER_NS 5 /* of page tables */

/*
 * Whether to leave out what has nothing to do with the processes asked for: these have to be gone through twice
 * then, which for one that has most of a machine's VMAs takes longer.
 */
static bool partial_pays(const struct capture *c)
{
	uint64_t listing = 0, others = 0;

	for (size_t i = 0; i < c->snap->process_count; i++) {
		const struct memoir_process *process = &c->snap->processes[i];

		if (process->in_scope)
			listing += c->notes[i].vmas * (uint64_t)LISTING_NS;
		else
			others += c->notes[i].vmas * (uint64_t)TAKING_IN_NS +
				  process->page_table_bytes / TABLE_BYTES_PER_NS;
	}
	return listing < others;
}

enum walk_scope capture_scope(struct capture *c, struct walk *walk)
{
	size_t wanted = 0;
	pid_t only = 0;

	for (size_t i = 0; i < c->snap->process_count; i++) {
		if (!c->snap->processes[i].in_scope)
			continue;
		wanted++;
		only = c->snap->processes[i].pid;
	}
	if (!partial_pays(c))
		return WALK_ALL;
	walk_wanted_clear(walk);
	for (size_t i = 0; i < c->snap->process_count; i++)
		if ((c->snap->processes[i].in_scope || may_publish(&c->snap->processes[i])) &&
		    walk_wanted_add(walk, c->notes[i].mm) < 0)
			return WALK_ALL;
	if (list_objects(c, walk, wanted, only) < 0)
		return WALK_ALL;
	/* Merged pages are shared across families: then all have to be looked at. */
	if (c->mergeable_listed && process_ksm_in_use(c->memoir->root))
		return WALK_ALL;
	return WALK_LISTED_OBJECTS;
}
