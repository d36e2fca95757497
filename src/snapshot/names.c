// SPDX-License-Identifier: MIT
/*
 * Names put on regions of private anonymous memory that are there; what a table says of other memory is passed
 * over. Where tables come from is for others.
 */
#include "snapshot/naming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

/* ---- which regions -------------------------------------------------------------------------- */

bool capture_is_nameable(const struct region *region)
{
	return region->object == MEMOIR_NONE && !(region->flags & VM_MAYSHARE) &&
	       (region->kind == MEMOIR_KIND_ANON || region->kind == MEMOIR_KIND_HEAP ||
		region->kind == MEMOIR_KIND_STACK);
}

bool capture_is_anchor(struct capture *c, const struct region *region)
{
	const char **paths = c->anchor_paths;

	if (!paths[0]) {
		paths[0] = snapshot_string(c->snap, "/memfd:memoir-names (deleted)");
		paths[1] = snapshot_string(c->snap, "/memfd:memoir-names");
	}
	/* Strings of a snapshot are interned. */
	return region->path && !(region->flags & VM_MAYSHARE) &&
	       (region->path == paths[0] || region->path == paths[1]);
}

/* The first region of the process that ends behind an address; the index behind its last: none. */
static uint32_t region_at(const struct capture *c, uint32_t process, uint64_t addr)
{
	const struct memoir_process *p = &c->snap->processes[process];
	uint32_t from = p->first_region, to = from + p->region_count;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (capture_region(c, middle)->end <= addr)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

bool naming_is_private(const struct capture *c, uint32_t process, uint64_t addr, uint64_t bytes)
{
	const struct memoir_process *p = &c->snap->processes[process];
	uint64_t end;

	if (__builtin_add_overflow(addr, bytes, &end))
		return false;
	for (uint32_t i = region_at(c, process, addr);
	     addr < end && i < p->first_region + p->region_count; i++) {
		const struct region *region = capture_region(c, i);

		if (region->start > addr || !capture_is_nameable(region))
			return false;
		addr = region->end;
	}
	return addr >= end;
}

/* ---- parts of a region ---------------------------------------------------------------------- */

/* Where the next part goes; there is room. Those of one name that follow each other are one. */
static struct region_part *add_part(struct region_part *first, struct region_part *next,
				    uint64_t start, const char *name)
{
	if (next > first && next[-1].name == name)
		return next;
	*next = (struct region_part){ .start = start, .name = name };
	return next + 1;
}

/* By the ranges of the table from the i-th on, the first that ends in the region or behind it. */
static int make_parts(struct capture *c, const struct region *region, const struct naming_job *job,
		      size_t i)
{
	struct region_splits *splits = &c->snap->captured.splits;
	size_t most = splits->part_count + 2 * (job->count - i) + 1;
	struct region_part *first = grow(splits->parts, &splits->part_room, most, sizeof(*first));
	struct region_part *next;
	uint64_t at = region->start;

	if (!first || most >= MEMOIR_NONE)
		return -ENOMEM;
	splits->parts = first;
	next = first += splits->part_count;
	for (; i < job->count && job->ranges[i].start < region->end; i++) {
		const struct named_range *range = &job->ranges[i];

		if (range->start > at)
			next = add_part(first, next, at, NULL);
		if (range->start > at)
			at = range->start;
		if (range->end > at)
			next = add_part(first, next, at, job->names[range->number]);
		if (range->end > at)
			at = range->end;
	}
	if (at < region->end)
		next = add_part(first, next, at, NULL);
	splits->part_count += (size_t)(next - first);
	return 0;
}

/* ---- naming --------------------------------------------------------------------------------- */

static enum memoir_name_source source_of(const struct names_table *table)
{
	if (!table->subject)
		return MEMOIR_NAME_TABLE;
	return table->tried ? MEMOIR_NAME_PRCTL : MEMOIR_NAME_SUPERVISOR;
}

static int name_region(struct capture *c, uint32_t k, const struct naming_job *job, size_t i)
{
	struct region *region = capture_region(c, k);
	struct region_splits *splits = &c->snap->captured.splits;
	size_t first = splits->part_count;
	int err = make_parts(c, region, job, i);

	if (!err && splits->part_count > first + 1) {
		if (c->snap->engine != MEMOIR_ENGINE_SMAPS)
			return capture_split(c, k, (uint32_t)first, job->source);
		c->naming->unsplit++;
	} else if (!err && splits->parts[first].name) {
		region->name = splits->parts[first].name;
		region->name_source = job->source;
	}
	splits->part_count = first;
	return err;
}

/* The region that has the address, or is the first behind it; most often that behind the last. */
static uint32_t next_region(const struct capture *c, uint32_t process, uint32_t last, uint64_t addr)
{
	const struct memoir_process *p = &c->snap->processes[process];
	uint32_t next = last + 1;

	if (next < p->first_region + p->region_count && capture_region(c, next)->end > addr)
		return next;
	return region_at(c, process, addr);
}

/* Only regions in which a range begins or ends are looked at: few, and each is a wait for memory. */
int naming_regions(struct capture *c, const struct naming_job *job)
{
	const struct memoir_process *p = &c->snap->processes[job->process];
	uint32_t end = p->first_region + p->region_count;
	uint32_t k = region_at(c, job->process, job->ranges[0].start);
	int err = 0;

	for (size_t i = 0; k < end && !err;) {
		const struct region *region = capture_region(c, k);
		uint64_t behind = region->end;

		/* What the kernel has a name for keeps it. */
		if (job->ranges[i].start < behind && capture_is_nameable(region) && !region->name)
			err = name_region(c, k, job, i);
		while (i < job->count && job->ranges[i].end <= behind)
			i++;
		if (i == job->count)
			break;
		k = next_region(c, job->process, k,
				job->ranges[i].start > behind ? job->ranges[i].start : behind);
	}
	return err;
}

/* Those that are in the list already are mostly the same: processes of one program name in the same order. */
int naming_intern(struct capture *c, const struct names_table *table, struct name_list *list)
{
	const char **names =
		grow((void *)list->names, &list->room, table->name_count, sizeof(*names));

	if (!names)
		return -ENOMEM;
	list->names = names;
	for (size_t i = 0; i < table->name_count; i++) {
		if (i < list->count && strcmp(names[i], table->names[i]) == 0)
			continue;
		names[i] = snapshot_string(c->snap, table->names[i]);
		if (!names[i])
			return -ENOMEM;
		list->count += i == list->count;
	}
	return 0;
}

bool naming_claims(struct capture *c, uint32_t process, const struct names_table *table)
{
	if (!c->snap->processes[process].in_scope || !table->count || c->naming->named[process])
		return false;
	c->naming->named[process] = 1;
	return true;
}

int naming_process(struct capture *c, uint32_t process, const struct names_table *table)
{
	int err;

	if (!naming_claims(c, process, table))
		return 0;
	err = naming_intern(c, table, &c->naming->names);
	return err ? err
		   : naming_regions(c, &(struct naming_job){
					       .process = process,
					       .source = source_of(table),
					       .ranges = table->ranges,
					       .count = table->count,
					       .names = c->naming->names.names,
				       });
}

/* ---- what is kept --------------------------------------------------------------------------- */

struct naming *naming_of(struct capture *c)
{
	struct naming *n = c->naming;

	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->sent_by = MEMOIR_NONE;
	n->named = calloc(c->snap->process_count + 1, 1);
	n->reader = names_reader_new();
	c->naming = n;
	return n->named && n->reader ? n : NULL;
}

void capture_naming_free(struct capture *c)
{
	struct naming *n = c->naming;

	if (!n)
		return;
	naming_end(c);
	names_reader_free(n->reader);
	free(n->named);
	free((void *)n->names.names);
	for (size_t i = 0; i < n->list_count; i++)
		free((void *)n->lists[i].names);
	free(n->lists);
	free(n->jobs);
	free(n);
	c->naming = NULL;
}
