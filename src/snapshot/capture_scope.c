// SPDX-License-Identifier: MIT
/*
 * Which of other processes' memory a capture of some needs: what they map, and what they have open, if it may be shared.
 */
#include <errno.h>
#include <string.h>

#include "kernel/files.h"
#include "kernel/process.h"
#include "snapshot/capture.h"

/* In a partial capture: the objects of the processes asked for that others may share. */
static void want_objects(const struct walk_vma *vma, const struct walk_object *object,
			 const char *path, const char *name, void *arg)
{
	struct capture *c = arg;
	int err = 0;

	(void)path;
	(void)name;
	c->vmas_listed++;
	if (vma->flags & VM_MERGEABLE)
		c->mergeable_listed = true;
	if (object && !(vma->bits & WALK_SOLE))
		err = walk_wanted_add(c->walk, object->mapping);
	if (!err && vma->anon_root && (!(vma->bits & WALK_ALONE) || vma->flags & VM_MERGEABLE))
		err = walk_wanted_add(c->walk, vma->anon_root);
	if (err)
		c->error = err;
}

/* One pass over the processes asked for; where it is one only, the others aren't even looked at. */
static int list_objects(struct capture *c, struct walk *walk, size_t wanted, pid_t only)
{
	struct walk_visitor visitor = { .vma = want_objects, .few_paths = true };

	/* Before 6.1 there is no iterator of one, and 6.1's stops at a leader that has exited. */
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

/* Processes asked for, by pid. */
struct holders_asked {
	struct walk *walk;
	struct u64map by_pid;
};

static int want_open(const struct open_file *file, void *arg)
{
	struct holders_asked *asked = arg;
	int err = 0;

	if (u64map_get(&asked->by_pid, (uint64_t)file->pid) == U64MAP_NONE)
		return 0;
	if (file->mapping)
		err = walk_wanted_add(asked->walk, file->mapping);
	/* What a udmabuf is made of. */
	if (!err && file->backing)
		err = walk_wanted_add(asked->walk, file->backing);
	return err;
}

static int list_asked(const struct capture *c, struct u64map *by_pid)
{
	int err = 0;

	for (uint32_t i = 0; i < c->snap->process_count && !err; i++) {
		const struct memoir_process *p = &c->snap->processes[i];

		if (!p->in_scope)
			continue;
		err = u64map_set(by_pid, (uint64_t)p->pid, i);
		for (uint32_t k = 0; k < p->peer_count && !err; k++)
			err = u64map_set(by_pid, (uint64_t)p->peers[k], i);
	}
	return err;
}

/* What they hold without mapping it dies with them only if nobody maps it. */
static int list_open(struct capture *c, struct walk *walk)
{
	struct holders_asked asked = { .walk = walk };
	int err;

	if (!capture_wants_holders(c))
		return 0;
	err = list_asked(c, &asked.by_pid);
	if (!err)
		err = capture_each_open_file(c, false, want_open, &asked);
	u64map_free(&asked.by_pid);
	return err;
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
	if (list_objects(c, walk, wanted, only) < 0) {
		/* More than there is room for is no failure. */
		c->error = 0;
		return WALK_ALL;
	}
	/* They have called exec since: nothing is known of what they are now. */
	if (wanted && !c->vmas_listed)
		return WALK_ALL;
	/* Merged pages are shared across families: then all have to be looked at. */
	if (c->mergeable_listed && process_ksm_in_use(c->memoir->root))
		return WALK_ALL;
	return list_open(c, walk) < 0 ? WALK_ALL : WALK_LISTED_OBJECTS;
}
