// SPDX-License-Identifier: MIT
/*
 * What is left when pages are counted: the few figures that only text tells, processes that vanished,
 * and the notes on what could not be read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "kernel/maps.h"
#include "kernel/process.h"
#include "snapshot/capture.h"

/* ---- swap of shmem -------------------------------------------------------------------------- */

/* The rules of smap_gather_stats: a mapping of the whole file has the file's count, a part is looked up. */
static void settle_shmem_swap(struct capture *c, uint32_t i)
{
	struct region *region = capture_region(c, i);
	bool own_copies = !(region->flags & VM_SHARED) && (region->flags & VM_WRITE);
	const struct memoir_object *object;

	if (!region->object_swapped || region->object == MEMOIR_NONE)
		return;
	object = &c->snap->objects[region->object];
	if (!own_copies && region->offset_bytes == 0 &&
	    region->end - region->start >= object->size_bytes)
		region_add(&region->swap, object->swapped_bytes / PAGE_BYTES);
	else
		region->smaps_swap = c->text_left = true;
}

/* ---- what only text tells ------------------------------------------------------------------- */

static void set_pages(uint32_t *pages, uint64_t bytes)
{
	*pages = 0;
	region_add(pages, bytes / PAGE_BYTES);
}

static void take_smaps(struct capture *c, uint32_t i, const struct smaps_figures *figures)
{
	struct region *region = capture_region(c, i);

	if (region->smaps_swap)
		set_pages(&region->swap, figures->swap);
	if (region->smaps_thp)
		set_pages(&region->thp, figures->huge);
	region->smaps_swap = region->smaps_thp = false;
}

/* The path that maps shows is that of the file in the stacked file system, not of the file below. */
static void take_maps(struct capture *c, uint32_t i, const struct maps_line *line)
{
	struct region *region = capture_region(c, i);

	if (*line->path)
		region->path = capture_text_path(c, region->process, line);
	if (region->object != MEMOIR_NONE) {
		struct memoir_object *object = &c->snap->objects[region->object];

		object->dev_major = line->dev_major;
		object->dev_minor = line->dev_minor;
		object->inode = line->inode;
		object->path = region->path;
	}
	capture_region(c, i)->text_path = false;
}

static void apply_text(struct capture *c, const struct memoir_process *process, char *text)
{
	uint32_t i = process->first_region, end = i + process->region_count;
	struct smaps_figures figures;
	struct maps_line line;

	while (i < end && smaps_next(&text, &line, &figures) > 0) {
		while (i < end && capture_region(c, i)->start < line.start)
			i++;
		if (i == end || capture_region(c, i)->start != line.start ||
		    capture_region(c, i)->end != line.end)
			continue;
		take_smaps(c, i, &figures);
		if (capture_region(c, i)->text_path)
			take_maps(c, i, &line);
	}
}

static bool wants_text(const struct region *region, bool *ret_smaps)
{
	*ret_smaps |= region->smaps_swap || region->smaps_thp;
	return region->smaps_swap || region->smaps_thp || region->text_path;
}

static void mark_inexact(struct capture *c, uint32_t i)
{
	struct region *region = capture_region(c, i);

	if (region->smaps_swap || region->smaps_thp)
		region->doubt = region->smaps_swap ? REGION_SWAP_UNKNOWN : REGION_THP_UNKNOWN;
}

static int ask_text(struct capture *c, uint32_t process, struct kbuf *text)
{
	const struct memoir_process *p = &c->snap->processes[process];
	const struct process_note *note = &c->notes[process];
	bool any = false, smaps = false;

	if (!p->in_scope)
		return 0;
	for (uint32_t i = p->first_region; i < p->first_region + p->region_count; i++)
		any |= wants_text(capture_region(c, i), &smaps);
	if (!any)
		return 0;
	ssize_t len = process_text(c->memoir->root, note->tgid, note->tid,
				   smaps ? PROCESS_SMAPS : PROCESS_MAPS, text);

	if (len == -ENOMEM)
		return (int)len;
	if (len > 0)
		apply_text(c, p, text->data);
	for (uint32_t i = p->first_region; i < p->first_region + p->region_count; i++)
		mark_inexact(c, i);
	return 0;
}

/* ---- guards --------------------------------------------------------------------------------- */

static void settle_guard(struct capture *c, uint32_t i)
{
	const struct memoir_figures *told = c->snap->captured.told;
	struct region *region = capture_region(c, i);
	uint64_t content = told ? told[i].bytes[MEMOIR_RSS] + told[i].bytes[MEMOIR_SWAP]
				: (uint64_t)region->rss + region->swap;

	if (region_may_be_guard(region) && !content)
		region->kind = MEMOIR_KIND_GUARD;
}

/* Most regions have nothing to be settled, and going through all once more would cost more than the rest. */
void capture_settle_later(struct capture *c, uint32_t i)
{
	const struct region *region = capture_region(c, i);
	uint32_t *unsettled;

	c->text_left |= region->text_path;
	if (!region->object_swapped && !region_may_be_guard(region))
		return;
	unsettled =
		grow(c->unsettled, &c->unsettled_room, c->unsettled_count + 1, sizeof(*unsettled));
	if (!unsettled) {
		c->error = -ENOMEM;
		return;
	}
	c->unsettled = unsettled;
	unsettled[c->unsettled_count++] = i;
}

/* ---- processes ------------------------------------------------------------------------------ */

static void refresh_comm(struct capture *c, uint32_t process)
{
	struct memoir_process *p = &c->snap->processes[process];
	struct process_stat stat;

	if (c->notes[process].stale_comm && process_stat(c->memoir->root, p->pid, &stat) == 0)
		p->comm = snapshot_string(c->snap, stat.comm);
}

/* A process out of scope that holds an object stays, though no region of it was looked at. */
static void mark_holders(const struct memoir_snapshot *s, uint32_t *moved)
{
	for (size_t i = 0; i < s->process_count; i++)
		moved[i] = MEMOIR_NONE;
	for (size_t i = 0; i < s->holder_count; i++)
		moved[s->holders[i].process] = 0;
}

static void move_holders(struct memoir_snapshot *s, const uint32_t *moved)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->holder_count; i++) {
		struct memoir_holder holder = s->holders[i];

		holder.process = moved[holder.process];
		if (holder.process != MEMOIR_NONE)
			s->holders[kept++] = holder;
	}
	s->holder_count = kept;
	kept = 0;
	for (size_t i = 0; i < s->in_flight_count; i++) {
		struct memoir_in_flight in_flight = s->in_flight[i];

		in_flight.process = moved[in_flight.process];
		if (in_flight.process != MEMOIR_NONE)
			s->in_flight[kept++] = in_flight;
	}
	s->in_flight_count = kept;
}

/* Leave out processes of which nothing was seen: they ended in between, which is normal. */
static int drop_vanished(struct capture *c)
{
	struct memoir_snapshot *s = c->snap;
	uint32_t *moved = calloc(s->process_count + 1, sizeof(*moved));
	uint32_t kept = 0;

	if (!moved)
		return -ENOMEM;
	mark_holders(s, moved);
	for (uint32_t i = 0; i < s->process_count; i++) {
		struct memoir_process *p = &s->processes[i];
		bool holds = !p->in_scope && moved[i] != MEMOIR_NONE;

		moved[i] = MEMOIR_NONE;
		if (p->readable && p->region_count == 0 && !holds) {
			s->vanished += p->in_scope;
			free((void *)p->peers);
			continue;
		}
		moved[i] = kept;
		s->processes[kept] = *p;
		c->notes[kept++] = c->notes[i];
	}
	for (size_t i = 0; kept < s->process_count && i < s->captured.count; i++)
		s->captured.regions[i].process = moved[s->captured.regions[i].process];
	s->process_count = kept;
	move_holders(s, moved);
	free(moved);
	return 0;
}

static int note_denied(struct capture *c)
{
	bool by_bpf =
		c->snap->engine == MEMOIR_ENGINE_TABLES || c->snap->engine == MEMOIR_ENGINE_SCAN;

	if (!c->denied)
		return 0;
	return snapshot_note(
		c->snap, "%zu process%s could not be read: %s", c->denied,
		c->denied == 1 ? "" : "es",
		by_bpf ? "hidden even from root, by a policy of this machine"
		       : "run memoir as root, or with CAP_SYS_PTRACE and CAP_SYS_ADMIN");
}

int capture_finish(struct capture *c)
{
	struct kbuf text = { 0 };
	int err = 0;

	for (size_t i = 0; i < c->unsettled_count && !c->options.without_pages; i++) {
		settle_shmem_swap(c, c->unsettled[i]);
		settle_guard(c, c->unsettled[i]);
	}
	for (uint32_t i = 0; i < c->snap->process_count && !err; i++) {
		if (c->text_left)
			err = ask_text(c, i, &text);
		refresh_comm(c, i);
	}
	kbuf_free(&text);
	if (!err)
		err = drop_vanished(c);
	return err ? err : note_denied(c);
}
