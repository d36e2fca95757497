// SPDX-License-Identifier: MIT
/*
 * From counts to figures, of regions and of processes, once all is counted: one pass over all regions, which
 * waits for memory, so that threads share it.
 */
#include "base/crew.h"
#include "snapshot/capture.h"

#define PART_REGIONS 2048u
/* Below this a thread costs more than it saves. */
#define MANY_REGIONS 16384u

static void set_figures(struct memoir_region *region, const struct region_count *rc)
{
	uint64_t *bytes = region->figures.bytes;
	uint64_t file = (rc->rss - rc->anon) * PAGE_BYTES;

	bytes[MEMOIR_RSS] = rc->rss * PAGE_BYTES;
	bytes[MEMOIR_PSS] = (rc->pss_fixed + (rc->alone * PAGE_BYTES << PSS_SHIFT)) >> PSS_SHIFT;
	bytes[MEMOIR_USS] = (rc->uss + rc->alone) * PAGE_BYTES;
	bytes[MEMOIR_SHARED] = bytes[MEMOIR_RSS] - bytes[MEMOIR_USS];
	bytes[MEMOIR_SWAP] = rc->swap * PAGE_BYTES;
	bytes[MEMOIR_SWAP_PSS] =
		(rc->swap_pss_fixed + (rc->swap_alone * PAGE_BYTES << PSS_SHIFT)) >> PSS_SHIFT;
	bytes[MEMOIR_ANON] = rc->anon * PAGE_BYTES;
	bytes[kind_is_shmem(region->kind) ? MEMOIR_SHMEM : MEMOIR_FILE] = file;
	bytes[MEMOIR_THP] = rc->thp * PAGE_BYTES;
	bytes[MEMOIR_HUGETLB] = rc->hugetlb * PAGE_BYTES;
	region->figures.known = (1u << MEMOIR_FIGURES) - 1;
	region->own_anon_bytes = rc->alone_anon * PAGE_BYTES;
	region->own_swap_bytes = rc->swap_alone * PAGE_BYTES;
}

/*
 * What is alone is in no set, so it is added to what the sets gave. Figures of processes out of scope are parts
 * of sums that were not looked at whole: left unknown.
 */
static void take_figures(struct capture *c, struct memoir_region *region,
			 const struct region_count *rc, struct memoir_process *sum)
{
	const struct memoir_process *process = &c->snap->processes[region->process];
	uint64_t of_object = (rc->alone - rc->alone_anon) * PAGE_BYTES;

	if (!process->readable)
		return;
	sum->sole_anon_bytes += rc->alone_anon * PAGE_BYTES;
	sum->sole_swap_bytes += rc->swap_alone * PAGE_BYTES;
	if (region->object != MEMOIR_NONE && of_object)
		__atomic_fetch_add(&c->snap->objects[region->object].mapped_bytes, of_object,
				   __ATOMIC_RELAXED);
	if (process->in_scope)
		set_figures(region, rc);
}

void capture_take_figures(struct capture *c, struct memoir_region *region,
			  const struct region_count *count)
{
	take_figures(c, region, count, &c->snap->processes[region->process]);
}

struct turn {
	struct capture *c;
	size_t next; /* the first region that nobody has taken yet */
};

/* What some regions of a process make together. */
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

static void take_part(struct capture *c, size_t from, size_t to)
{
	uint32_t process = c->snap->regions[from].process;
	struct memoir_process sum = { 0 };

	for (size_t i = from; i < to; i++) {
		struct memoir_region *region = &c->snap->regions[i];

		if (region->process != process) {
			add_to_process(c, process, &sum);
			sum = (struct memoir_process){ 0 };
			process = region->process;
		}
		if (c->counts[i].is_cut)
			continue;
		if (!region->figures.known)
			take_figures(c, region, &c->counts[i], &sum);
		figures_add(&sum.figures, &region->figures);
	}
	add_to_process(c, process, &sum);
}

static void take_parts(void *arg)
{
	struct turn *turn = arg;
	size_t count = turn->c->snap->region_count;

	for (;;) {
		size_t from = __atomic_fetch_add(&turn->next, PART_REGIONS, __ATOMIC_RELAXED);

		if (from >= count)
			return;
		take_part(turn->c, from, count - from < PART_REGIONS ? count : from + PART_REGIONS);
	}
}

static int count_all(struct capture *c)
{
	/* Another one may be looking for kinds, and that is waited for. */
	unsigned int threads = c->memoir->threads - (c->kinds && c->memoir->threads > 1);
	struct turn turn = { .c = c };
	int err = capture_take_shares(c);

	if (err)
		return err;
	snapshot_begin_sums(c->snap);
	crew_run(c->snap->region_count < MANY_REGIONS ? 1 : threads, take_parts, &turn);
	return 0;
}

int capture_figures(struct capture *c)
{
	int err = c->options.without_pages ? 0 : count_all(c);

	/* Parts have the kinds of their regions. */
	if (!err)
		err = capture_kinds_end(c);
	if (err || c->options.without_pages)
		return err;
	err = capture_settle_parts(c);
	return err ? err : capture_number_parts(c);
}
