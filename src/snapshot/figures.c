// SPDX-License-Identifier: MIT
/*
 * From counts to figures of processes, once all is counted: one pass over all regions, which waits for memory, so
 * that threads share it. Figures of regions are made when somebody looks (rows.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crew.h"
#include "kernel/own_memory.h"
#include "snapshot/capture.h"

#define PART_REGIONS SPANS_MARK
/* Below this a thread costs more than it saves. */
#define MANY_REGIONS 6144u

/* What nobody else has of a region, added to its process (or to a part of what that has) and its object. */
static void take_own(struct capture *c, const struct region *region, struct memoir_process *sum)
{
	uint64_t of_object = (uint64_t)(region->alone - region->alone_anon) * PAGE_BYTES;

	sum->sole_anon_bytes += region->alone_anon * PAGE_BYTES;
	sum->sole_swap_bytes += region->swap_alone * PAGE_BYTES;
	if (region->object != MEMOIR_NONE && of_object)
		__atomic_fetch_add(&c->snap->objects[region->object].mapped_bytes, of_object,
				   __ATOMIC_RELAXED);
}

struct memoir_figures capture_take_figures(struct capture *c, const struct region *region)
{
	struct memoir_process *process = &c->snap->processes[region->process];

	if (!process->readable)
		return (struct memoir_figures){ 0 };
	take_own(c, region, process);
	return process->in_scope ? region_figures(region) : (struct memoir_figures){ 0 };
}

/* ---- who maps what -------------------------------------------------------------------------- */

/*
 * Noted for analysis, as one more pass over all regions would wait for all their memory again. In no order, as threads
 * take parts, and some twice: whoever reads them must not depend on either. Mappings of what is merely cache, which
 * most are, are left out: nothing of that is freed with a process or charged to one.
 */
struct uses {
	struct use uses[PART_REGIONS];
	size_t count;
};

static void note_use(const struct memoir_snapshot *s, const struct region *region,
		     struct uses *noted)
{
	const struct use use = { region->object, region->process };
	const struct use *last = noted->count ? &noted->uses[noted->count - 1] : NULL;

	/* Regions of one object stand together. */
	if (last && last->object == use.object && last->process == use.process)
		return;
	if (use.object == MEMOIR_NONE || s->objects[use.object].fate == MEMOIR_FATE_RECLAIMABLE)
		return;
	noted->uses[noted->count++] = use;
}

static void keep_uses(struct captured *captured, const struct uses *noted)
{
	size_t at = __atomic_fetch_add(&captured->use_count, noted->count, __ATOMIC_RELAXED);

	memcpy(captured->uses + at, noted->uses, noted->count * sizeof(*noted->uses));
}

/* ---- parts of all regions ------------------------------------------------------------------- */

struct turn {
	struct capture *c;
	size_t next; /* the first region that nobody has taken yet */
};

struct part {
	struct capture *c;
	size_t next;
	uint32_t process;
	struct memoir_process sum; /* what its regions make together, those of this part */
	struct uses *noted;
};

static void add_to_process(struct capture *c, uint32_t process, const struct memoir_process *sum)
{
	struct memoir_process *p = &c->snap->processes[process];

	pthread_mutex_lock(&c->lock);
	p->sole_anon_bytes += sum->sole_anon_bytes;
	p->sole_swap_bytes += sum->sole_swap_bytes;
	if (p->in_scope)
		figures_add(&p->figures, &sum->figures);
	pthread_mutex_unlock(&c->lock);
}

static void take_region(struct part *part, size_t i)
{
	struct capture *c = part->c;
	const struct region *region = capture_region(c, i);
	const struct memoir_process *process = &c->snap->processes[region->process];
	struct memoir_figures figures;

	if (region->is_cut || !process->readable)
		return;
	take_own(c, region, &part->sum);
	if (!process->in_scope)
		return;
	if (c->snap->captured.told) {
		figures_add(&part->sum.figures, &c->snap->captured.told[i]);
		return;
	}
	figures = region_figures(region);
	figures_add(&part->sum.figures, &figures);
}

/* Each is looked at once: all of them wait for memory. */
static void take_until(struct part *part, size_t to)
{
	for (; part->next < to; part->next++) {
		const struct region *region = capture_region(part->c, part->next);

		if (region->process != part->process) {
			add_to_process(part->c, part->process, &part->sum);
			part->sum = (struct memoir_process){ 0 };
			part->process = region->process;
		}
		take_region(part, part->next);
		note_use(part->c->snap, region, part->noted);
	}
}

static void take_span(uint32_t region, uint64_t pss_fixed, uint64_t own_pages, void *arg)
{
	struct part *part = arg;

	take_until(part, region);
	capture_take_span(region, pss_fixed, own_pages, part->c->snap->captured.regions);
}

static void take_part(struct capture *c, size_t from, size_t to)
{
	struct uses noted;
	struct part part = {
		.c = c,
		.next = from,
		.process = capture_region(c, from)->process,
		.noted = &noted,
	};

	noted.count = 0;
	if (spans_in_order(&c->spans))
		spans_shares_of(&c->spans, (uint32_t)from, (uint32_t)to, take_span, &part);
	take_until(&part, to);
	add_to_process(c, part.process, &part.sum);
	keep_uses(&c->snap->captured, &noted);
}

static void take_parts(void *arg)
{
	struct turn *turn = arg;
	size_t count = turn->c->snap->captured.count;

	for (;;) {
		size_t from = __atomic_fetch_add(&turn->next, PART_REGIONS, __ATOMIC_RELAXED);

		if (from >= count)
			return;
		take_part(turn->c, from, count - from < PART_REGIONS ? count : from + PART_REGIONS);
	}
}

/* What is a process's alone and was not read: the kernel counts it. While that changed some may be missing. */
static void take_counters(struct capture *c)
{
	for (size_t i = 0; i < c->snap->process_count; i++) {
		const struct process_note *note = &c->notes[i];
		struct memoir_process *process = &c->snap->processes[i];
		uint64_t anon = note->own_anon > 0 ? (uint64_t)note->own_anon * PAGE_BYTES : 0;
		uint64_t swap = note->own_swap > 0 ? (uint64_t)note->own_swap * PAGE_BYTES : 0;
		struct memoir_figures own = { .known = (1u << MEMOIR_FIGURES) - 1 };

		if (!note->counted || !process->in_scope || !process->readable)
			continue;
		own.bytes[MEMOIR_RSS] = own.bytes[MEMOIR_PSS] = own.bytes[MEMOIR_USS] = anon;
		own.bytes[MEMOIR_ANON] = anon;
		own.bytes[MEMOIR_SWAP] = own.bytes[MEMOIR_SWAP_PSS] = swap;
		process->sole_anon_bytes += anon;
		process->sole_swap_bytes += swap;
		figures_add(&process->figures, &own);
	}
}

static int count_all(struct capture *c)
{
	struct captured *captured = &c->snap->captured;
	/* Another one may be looking for kinds, and that is waited for. */
	unsigned int threads = c->memoir->threads - (c->kinds && c->memoir->threads > 1);
	struct turn turn = { .c = c };
	int err = capture_take_shares(c);

	if (err)
		return err;
	/* Of each part at most as many as it has regions. */
	captured->uses = malloc((captured->count + 1) * sizeof(*captured->uses));
	if (!captured->uses)
		return -ENOMEM;
	captured->counted = true;
	snapshot_begin_sums(c->snap);
	crew_run(captured->count < MANY_REGIONS ? 1 : threads, take_parts, &turn);
	take_counters(c);
	return 0;
}

/* Room for rows, so that making them can't fail: memory that is not touched costs nothing. */
static int prepare_rows(struct capture *c, size_t count)
{
	struct memoir_snapshot *s = c->snap;

	if (!count)
		return 0;
	if (count >= MEMOIR_NONE)
		return -ENOMEM;
	s->regions = own_memory_array(count * sizeof(*s->regions));
	if (!s->regions)
		return -ENOMEM;
	s->region_count = s->region_room = count;
	s->captured.threads = c->memoir->threads;
	s->captured.rows_left = true;
	return 0;
}

/* They were needed to count; what is left of them is who maps what (snapshot_mapping()). */
static void hide_regions(struct memoir_snapshot *s)
{
	s->without_regions = true;
	for (size_t i = 0; i < s->process_count; i++)
		s->processes[i].first_region = s->processes[i].region_count = 0;
}

int capture_figures(struct capture *c)
{
	size_t rows = 0;
	int err = c->options.without_pages ? 0 : count_all(c);

	/* Parts have the kinds of their regions. */
	if (!err)
		err = capture_kinds_end(c);
	if (!err && !c->options.without_pages)
		err = capture_settle_parts(c);
	if (!err)
		err = capture_number_parts(c, &rows);
	if (!err && c->options.without_regions)
		hide_regions(c->snap);
	else if (!err)
		err = prepare_rows(c, rows);
	return err;
}
