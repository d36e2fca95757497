// SPDX-License-Identifier: MIT
/*
 * What a walk without locks leaves: the rest of a process that changes its memory all the time, or has let go of the
 * thread by which it was seen. It is walked under the lock, and comes in its place among the others.
 */
#include <errno.h>
#include <unistd.h>

#include "kernel/process.h"
#include "kernel/walk_skeleton.h"

struct rest {
	const struct walk_left *left;
	const struct walk_visitor *visitor;
	void *arg;
	/* Told up to here; where the stream is full the lock is let go of, and VMAs may merge. */
	uint64_t done;
	uint64_t from; /* of the VMA at hand; behind its end: nothing of it */
};

/* The one of which a part was sent, if it still is that one. */
static bool is_begun(const struct walk_left *left, const struct walk_vma *vma, uint64_t from)
{
	return left->addr && from == left->start && vma->end == left->end;
}

static void rest_vma(const struct walk_vma *vma, const struct walk_object *object, const char *path,
		     const char *name, void *arg)
{
	struct rest *rest = arg;
	const struct walk_left *left = rest->left;
	struct walk_vma missing = *vma;

	rest->from = vma->mm == left->mm ? rest->done : UINT64_MAX;
	if (rest->from < vma->start)
		rest->from = vma->start;
	if (rest->from < vma->end && is_begun(left, vma, rest->from)) {
		rest->from = left->addr;
		rest->done = vma->end;
		return;
	}
	/* What it covered has been told. */
	if (left->addr && rest->from < left->end)
		rest->from = left->end;
	if (rest->from >= vma->end)
		return;
	rest->done = vma->end;
	missing.tid = left->tid;
	missing.start = rest->from;
	missing.offset_pages += (rest->from - vma->start) / PAGE_BYTES;
	rest->visitor->vma(&missing, object, path, name, rest->arg);
}

static void rest_table(uint64_t addr, const uint64_t *entries, size_t count, void *arg)
{
	struct rest *rest = arg;
	size_t skip = rest->from > addr ? (rest->from - addr) / PAGE_BYTES : 0;

	if (rest->visitor->table && skip < count)
		rest->visitor->table(addr + skip * PAGE_BYTES, entries + skip, count - skip,
				     rest->arg);
}

static void rest_huge(uint64_t addr, uint64_t entry, uint64_t span_bytes, void *arg)
{
	struct rest *rest = arg;

	if (rest->visitor->huge && addr >= rest->from)
		rest->visitor->huge(addr, entry, span_bytes, rest->arg);
}

static bool has_ended(const struct walk *walk, const struct walk_left *left)
{
	struct process_stat stat;

	return process_stat(walk->root, (pid_t)left->tgid, &stat) < 0;
}

int walk_rest(struct walk *walk, const struct walk_left *left, const struct walk_visitor *visitor,
	      void *arg)
{
	const struct walk_visitor rest_visitor = { rest_vma, rest_table, rest_huge };
	struct rest rest = { .left = left, .visitor = visitor, .arg = arg, .done = left->from };
	int err = 0;

	if (has_ended(walk, left))
		return 0;
	if (!walk->locked)
		err = walk_load_locked(walk, &walk->locked);
	if (err)
		return err;
	walk->rests++;
	walk_wanted_clear(walk->locked);
	err = walk_wanted_add(walk->locked, left->mm);
	if (err)
		return err;
	return walk_vmas_of(walk->locked, (pid_t)left->tgid, walk->config->tables, &rest_visitor,
			    &rest);
}
