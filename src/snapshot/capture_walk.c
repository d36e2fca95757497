// SPDX-License-Identifier: MIT
/*
 * Regions from the BPF walk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/process.h"
#include "snapshot/capture.h"

#define ANON_INODE_FS_MAGIC 0x09041934 /* linux/magic.h */

/* ---- VMAs ----------------------------------------------------------------------------------- */

/* The heap and stack of another program than was listed. How far the heap goes by now is not told. */
static void note_program(const struct capture *c, struct process_note *note, pid_t pid)
{
	struct process_stat stat;

	if (process_stat(c->memoir->root, pid, &stat) < 0)
		stat = (struct process_stat){ 0 };
	note->start_brk = stat.heap_start;
	note->brk = stat.heap_start ? stat.heap_start + 1 : 0;
	note->start_stack = stat.stack_start;
}

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
		note_program(c, &c->notes[i], c->snap->processes[i].pid);
		if (u64map_set(&c->process_by_mm, vma->mm, i) < 0)
			c->error = -ENOMEM;
		return i;
	}
	return U64MAP_NONE;
}

/* Whether an address space still is the process's, not that of one which got the same place in memory since. */
static bool is_of(const struct memoir_process *process, uint32_t tgid)
{
	if (process->pid == (pid_t)tgid)
		return true;
	for (uint32_t i = 0; i < process->peer_count; i++)
		if (process->peers[i] == (pid_t)tgid)
			return true;
	return false;
}

/*
 * The process to which a VMA belongs, or U64MAP_NONE when it is to be passed over: it is our own, of a
 * process born since, of a thread or peer whose address space was seen already, or seen twice because
 * the kernel's iterator let go of the lock. Whoever walks it, a process comes whole before the next one.
 */
static uint32_t owner_of(struct capture *c, const struct walk_vma *vma)
{
	uint32_t i;

	if (vma->tgid == (uint32_t)c->memoir->self)
		return U64MAP_NONE;
	if (vma->mm != c->last.mm) {
		i = u64map_get(&c->process_by_mm, vma->mm);
		c->last.process = i != U64MAP_NONE ? i : adopt(c, vma);
		c->last.mm = c->last.process != U64MAP_NONE ? vma->mm : 0;
	}
	i = c->last.process;
	if (i == U64MAP_NONE || c->notes[i].mm != vma->mm)
		return U64MAP_NONE;

	const struct memoir_process *process = &c->snap->processes[i];
	struct process_note *note = &c->notes[i];

	if (process->region_count == 0) {
		if (!is_of(process, vma->tgid))
			return U64MAP_NONE;
		note->tgid = (pid_t)vma->tgid;
		note->tid = (pid_t)vma->tid;
		return i;
	}
	size_t last = (size_t)process->first_region + process->region_count - 1;

	if (note->tid != (pid_t)vma->tid || last + 1 != c->snap->captured.count ||
	    capture_region(c, last)->end > vma->start)
		return U64MAP_NONE;
	return i;
}

/* A library's VMAs come one after the other, with the very same string. */
static const char *path_of(struct capture *c, const char *path)
{
	if (!*path)
		return NULL;
	if (path != c->last.path || path[0] == '[') {
		c->last.path = path;
		c->last.path_kept = snapshot_string(c->snap, path);
	}
	return c->last.path_kept;
}

/* What tells that an offset is enough to know a page by: no driver and no anonymous inode. */
static bool goes_by_offset(const struct walk_vma *vma, const struct walk_object *object)
{
	return object && S_ISREG(object->mode) && object->magic != ANON_INODE_FS_MAGIC &&
	       !(vma->flags & (VM_PFNMAP | VM_MIXEDMAP | VM_IO | VM_HUGETLB));
}

static void note_object(struct capture *c, uint32_t index, const struct walk_object *object,
			const struct walk_vma *vma)
{
	capture_object_facts(c, index,
			     &(struct object_facts){
				     .magic = object->magic,
				     .mode = object->mode,
				     .nlink = object->links,
				     .resident_bytes = object->resident_pages * PAGE_BYTES,
				     .swapped_bytes = object->swapped_pages * PAGE_BYTES,
				     /* Until 6.7 a huge page counts as one there. */
				     .resident_known = !(vma->flags & VM_HUGETLB),
			     });
}

/* What is known of it is told by each of its VMAs, which stand together. */
static uint32_t object_of(struct capture *c, const struct region *region,
			  const struct walk_object *object, const struct walk_vma *vma)
{
	if (object->mapping == c->last.mapping)
		return c->last.object;
	c->last.mapping = object->mapping;
	c->last.object = capture_object(c, object->mapping, region->kind, object->dev >> 20,
					object->dev & 0xfffff, object->inode, region->path,
					object->size_bytes);
	note_object(c, c->last.object, object, vma);
	return c->last.object;
}

static void add_objects(struct capture *c, struct region *region, const struct walk_object *object,
			const struct walk_vma *vma)
{
	if (object) {
		region->offset_bytes = vma->offset_pages * PAGE_BYTES;
		region->object = object_of(c, region, object, vma);
	}
	if (vma->anon_root && !(c->options.without_regions && region->anon_alone))
		region->family = capture_family(c, vma->anon_root);
}

static void take_facts(struct region *region, const struct walk_object *object,
		       const struct walk_vma *vma)
{
	region->start = vma->start;
	region->end = vma->end;
	region->flags = (uint32_t)vma->flags;
	region->anon_alone = vma->bits & WALK_ALONE;
	region->sole = vma->bits & WALK_SOLE;
	region->has_anon = vma->anon_root;
	region->has_mapping = object;
	region->was_changing = vma->seq & 1;
	region->object_swapped = object && object->swapped_pages;
	region->text_path = object && object->path.stacked;
	region->by_offset = goes_by_offset(vma, object);
}

static void classify(struct capture *c, struct region *region, const struct walk_object *object,
		     const struct walk_vma *vma)
{
	const struct process_note *note = &c->notes[region->process];

	capture_classify(c, region,
			 &(struct region_facts){
				 .brk_start = note->start_brk,
				 .brk_end = note->brk,
				 .start_stack = note->start_stack,
				 .dev = object ? object->dev : 0,
				 .magic = object ? object->magic : 0,
				 .mode = object ? object->mode : 0,
				 .has_file = object,
				 .hugetlb = vma->flags & VM_HUGETLB,
			 });
}

void capture_take_counters(struct capture *c, const struct walk_counters *counters)
{
	const struct walk_vma whose = {
		.mm = counters->mm,
		.tgid = counters->tgid,
		.tid = counters->tid,
	};
	uint32_t process = owner_of(c, &whose);

	if (process == U64MAP_NONE)
		return;
	c->notes[process].counted = true;
	c->notes[process].own_anon = (int64_t)counters->anon_pages;
	c->notes[process].own_swap = (int64_t)counters->swap_entries;
}

/* What regions have is in what the kernel counts. */
void capture_settle_counters(struct capture *c, uint32_t process)
{
	const struct memoir_process *p = &c->snap->processes[process];
	struct process_note *note = &c->notes[process];

	if (!note->counted)
		return;
	for (uint32_t i = 0; i < p->region_count; i++) {
		const struct region *region = capture_region(c, p->first_region + i);

		note->own_anon -= region->anon;
		note->own_swap -= region->swap;
	}
}

/*
 * Whether a mapping needs no region of its own where nobody sees regions: its pages are known by their offset in the
 * file, or its process's alone. A library has five mappings, so that there is a quarter of the memory to be written.
 */
static bool may_join(const struct walk_vma *vma, const struct walk_object *object)
{
	bool own_copies =
		vma->bits & WALK_ALONE && vma->bits & WALK_TAGGED && !(vma->flags & VM_MERGEABLE);

	return goes_by_offset(vma, object) && !(vma->flags & VM_SHARED) && !object->path.stacked &&
	       !object->swapped_pages && (!vma->anon_root || own_copies);
}

/* The region of the mapping before it, if it is of the same file; or MEMOIR_NONE. */
static uint32_t join(struct capture *c, uint32_t process, const struct walk_vma *vma,
		     const struct walk_object *object)
{
	uint32_t last = (uint32_t)c->snap->captured.count - 1;
	struct region *region;

	if (!c->snap->processes[process].region_count)
		return MEMOIR_NONE;
	region = capture_region(c, last);
	if (!region->joins || object->mapping != c->last.mapping || !may_join(vma, object))
		return MEMOIR_NONE;
	take_facts(region, object, vma);
	region->offset_bytes = vma->offset_pages * PAGE_BYTES;
	spans_cut(&c->spans);
	return last;
}

uint32_t capture_take_vma(struct capture *c, const struct walk_vma *vma,
			  const struct walk_object *object, const char *path, const char *name)
{
	uint32_t process = owner_of(c, vma), i = (uint32_t)c->snap->captured.count;
	struct region *region;

	if (process == U64MAP_NONE)
		return MEMOIR_NONE;
	if (c->joins && object) {
		uint32_t joined = join(c, process, vma, object);

		if (joined != MEMOIR_NONE)
			return joined;
	}
	region = capture_add_region(c, process);
	if (!region)
		return MEMOIR_NONE;
	if (c->snap->processes[process].region_count == 1)
		capture_progress(c, process);
	take_facts(region, object, vma);
	region->name = snapshot_string(c->snap, name);
	region->path = path_of(c, path);
	classify(c, region, object, vma);
	add_objects(c, region, object, vma);
	region->joins = c->joins && object && region->kind == MEMOIR_KIND_FILE && !name &&
			may_join(vma, object);
	capture_settle_later(c, i);
	return i;
}
