// SPDX-License-Identifier: MIT
/*
 * What would come back if processes ended or regions were paged out; works on sharing sets, so that its
 * cost grows with sets and regions, not with pages. Decides what becomes of memory and moves none.
 */
#include "analysis/whatif.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/sets.h"
#include "base/grow.h"

/* THREAD_SIZE of x86-64 and arm64. */
#define STACK_BYTES 16384u

static const char *const action_names[MEMOIR_WHATIF_ACTIONS] = {
	[MEMOIR_WHATIF_KILL] = "kill",
	[MEMOIR_WHATIF_TRIM] = "trim",
};

const char *memoir_whatif_action_name(enum memoir_whatif_action action)
{
	return (unsigned int)action < MEMOIR_WHATIF_ACTIONS ? action_names[action] : NULL;
}

uint32_t whatif_object_slot(const struct whatif_run *run, uint32_t object)
{
	return object == MEMOIR_NONE     ? (uint32_t)run->s->object_count
	       : object == WHOSE_SEVERAL ? (uint32_t)run->s->object_count + 1
					 : object;
}

static uint32_t combined(uint32_t known, uint32_t one)
{
	return known == WHOSE_NOBODY || known == one ? one : WHOSE_SEVERAL;
}

void whose_add(struct whose *whose, const struct whose *one)
{
	whose->process = combined(whose->process, one->process);
	whose->label = combined(whose->label, one->label);
	whose->object = combined(whose->object, one->object);
}

/* ---- who is meant --------------------------------------------------------------------------- */

static int add_pid(struct whatif_run *run, pid_t pid)
{
	struct memoir_whatif *out = run->out;
	pid_t *pids = grow(out->pids, &run->pid_room, out->pid_count + 1, sizeof(*pids));

	if (!pids)
		return -ENOMEM;
	out->pids = pids;
	pids[out->pid_count++] = pid;
	return 0;
}

static int add_pids(struct whatif_run *run, const struct memoir_process *process)
{
	int err = 0;

	if (meant_pid(run->selection, process, process->pid))
		err = add_pid(run, process->pid);
	for (uint32_t i = 0; i < process->peer_count && !err; i++)
		if (meant_pid(run->selection, process, process->peers[i]))
			err = add_pid(run, process->peers[i]);
	return err;
}

static int compare_pids(const void *left, const void *right)
{
	const pid_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static int list_pids(struct whatif_run *run)
{
	int err = 0;

	for (size_t i = 0; i < run->s->process_count && !err; i++) {
		if (run->processes[i] == MEANT_NOT)
			continue;
		run->meant++;
		run->out->process_count += run->processes[i] == MEANT_WHOLE;
		run->unreadable += !run->s->processes[i].readable;
		err = add_pids(run, &run->s->processes[i]);
	}
	if (run->out->pid_count)
		qsort(run->out->pids, run->out->pid_count, sizeof(pid_t), compare_pids);
	return err;
}

/* kill takes processes and with them all their regions, trim takes regions. */
static int find_meant(struct whatif_run *run)
{
	const struct memoir_snapshot *s = run->s;

	run->processes = meant_processes(s, run->selection);
	run->regions = meant_regions(s, run->selection);
	if (!run->processes || !run->regions)
		return -ENOMEM;
	for (size_t i = 0; i < s->region_count && run->kill; i++)
		run->regions[i] = run->processes[snapshot_regions(s)[i].process];
	/* A hint to one of those that share an address space is one to all of them. */
	for (size_t i = 0; i < s->process_count && !run->kill; i++)
		run->processes[i] = run->processes[i] ? MEANT_WHOLE : MEANT_NOT;
	return list_pids(run);
}

static int label_regions(struct whatif_run *run)
{
	const struct memoir_snapshot *s = run->s;

	run->region_labels = calloc(s->region_count + 1, sizeof(*run->region_labels));
	if (!run->region_labels)
		return -ENOMEM;
	for (size_t i = 0; i < s->region_count; i++) {
		if (run->regions[i] == MEANT_NOT)
			continue;
		struct label label = label_of(s, &snapshot_regions(s)[i]);

		run->region_labels[i] = labels_index(&run->labels, &label);
		if (run->region_labels[i] == U64MAP_NONE)
			return -ENOMEM;
	}
	return 0;
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Whether a region's own pages go: all of it does, but to a hint not what is locked. */
static bool region_goes(const struct whatif_run *run, uint32_t i)
{
	return run->regions[i] == MEANT_WHOLE && (run->kill || !snapshot_regions(run->s)[i].locked);
}

static void add_anon_of_region(struct whatif_run *run, uint32_t i)
{
	const struct memoir_region *region = &snapshot_regions(run->s)[i];
	const struct whose whose = { region->process, run->region_labels[i], region->family };
	struct memoir_whatif_bytes bytes = { 0 };
	bool gone = region_goes(run, i);

	*(gone ? &bytes.freed_bytes : &bytes.kept_bytes) = region->own_anon_bytes;
	if (run->kill)
		*(gone ? &bytes.freed_swap_bytes : &bytes.kept_swap_bytes) = region->own_swap_bytes;
	whatif_add(run, &whose, &bytes);
}

static void add_pages_of_region(struct whatif_run *run, uint32_t i)
{
	const struct memoir_region *region = &snapshot_regions(run->s)[i];
	const struct whose whose = { region->process, run->region_labels[i], region->object };
	struct memoir_whatif_bytes bytes = { 0 };

	whatif_settle_pages(run, region->object, region_goes(run, i), run->rest[i], &bytes);
	add_bytes(&run->objects[region->object].seen_bytes, run->rest[i]);
	whatif_add(run, &whose, &bytes);
}

static void add_regions(struct whatif_run *run)
{
	for (uint32_t i = 0; i < run->s->region_count; i++) {
		if (run->regions[i] == MEANT_NOT)
			continue;
		if (snapshot_regions(run->s)[i].own_anon_bytes ||
		    snapshot_regions(run->s)[i].own_swap_bytes)
			add_anon_of_region(run, i);
		if (run->rest[i])
			add_pages_of_region(run, i);
	}
}

/* Whose a set is: what the parent's members are, and this one. Parents stand before their children. */
static void describe_set(struct whatif_run *run, uint32_t i)
{
	const struct memoir_set *set = &run->s->sets[i];
	const struct memoir_region *region = &snapshot_regions(run->s)[set->region];
	const struct whose one = { region->process, run->region_labels[set->region],
				   set->of_object ? region->object : region->family };
	struct whatif_set *described = &run->sets[i];
	uint8_t meant = run->regions[set->region];

	if (set->parent == MEMOIR_NONE)
		*described =
			(struct whatif_set){ .whose = { WHOSE_NOBODY, WHOSE_NOBODY, WHOSE_NOBODY },
					     .all = true };
	else
		*described = run->sets[set->parent];
	described->any |= meant != MEANT_NOT;
	described->all &= meant == MEANT_WHOLE;
	described->others += meant == MEANT_NOT;
	if (meant != MEANT_NOT)
		whose_add(&described->whose, &one);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void settle_anon(struct whatif_run *run, uint32_t i, struct memoir_whatif_bytes *bytes)
{
	const struct memoir_set *set = &run->s->sets[i];
	const struct whatif_set *described = &run->sets[i];
	struct whatif_object *family =
		&run->objects[whatif_object_slot(run, described->whose.object)];

	if (!run->kill && set->members == 1 && region_goes(run, set->region)) {
		bytes->freed_bytes = least(set->ram_bytes, set->freed_bytes);
		bytes->kept_bytes = set->ram_bytes - bytes->freed_bytes;
	} else if (!run->kill) {
		bytes->kept_bytes = set->ram_bytes;
	} else if (described->all) {
		bytes->freed_bytes = set->freed_bytes;
		bytes->freed_swap_bytes = set->swap_bytes;
		add_bytes(&family->gone_bytes, set->ram_bytes);
		add_bytes(&family->freed_bytes, set->freed_bytes);
		whose_add(&family->whose, &described->whose);
	} else {
		bytes->kept_bytes = set->ram_bytes;
		bytes->kept_swap_bytes = set->swap_bytes;
	}
}

static int add_set(struct whatif_run *run, uint32_t i)
{
	const struct memoir_set *set = &run->s->sets[i];
	const struct whatif_set *described = &run->sets[i];
	uint32_t object = snapshot_regions(run->s)[set->region].object;
	struct memoir_whatif_bytes bytes = { 0 };

	if (!described->any || !(set->ram_bytes || set->swap_bytes || set->freed_bytes))
		return 0;
	if (!set->of_object) {
		settle_anon(run, i, &bytes);
	} else if (object != MEMOIR_NONE) {
		bool gone = described->all &&
			    (run->kill || (set->members == 1 && region_goes(run, set->region)));

		whatif_settle_pages(run, object, gone, set->ram_bytes, &bytes);
		add_bytes(&run->objects[object].seen_bytes, set->ram_bytes);
	} else {
		return 0; /* the kernel's own pages, as the vdso */
	}
	whatif_add(run, &described->whose, &bytes);
	return whatif_add_set_row(run, i, &bytes);
}

static int add_sets(struct whatif_run *run)
{
	int err = 0;

	run->sets = calloc(run->s->set_count + 1, sizeof(*run->sets));
	if (!run->sets)
		return -ENOMEM;
	for (uint32_t i = 0; i < run->s->set_count && !err; i++) {
		describe_set(run, i);
		err = add_set(run, i);
	}
	return err;
}

/* Pages that nobody maps any more, of large folios that others keep by their other pages. */
static void add_kept_folios(struct whatif_run *run)
{
	for (size_t i = 0; i < run->s->object_count + 2; i++) {
		const struct whatif_object *family = &run->objects[i];

		if (family->gone_bytes > family->freed_bytes)
			whatif_add(run, &family->whose,
				   &(struct memoir_whatif_bytes){
					   .kept_bytes = family->gone_bytes - family->freed_bytes,
				   });
	}
}

/* ---- the kernel's part ---------------------------------------------------------------------- */

static void add_kernel_memory(struct whatif_run *run)
{
	for (uint32_t i = 0; i < run->s->process_count && run->kill; i++) {
		const struct memoir_process *process = &run->s->processes[i];
		const struct whose whose = { i, WHOSE_NOBODY, WHOSE_NOBODY };
		struct memoir_whatif_bytes bytes = { 0 };

		if (run->processes[i] != MEANT_WHOLE)
			continue;
		if (process->page_table_known)
			bytes.freed_kernel_bytes = process->page_table_bytes;
		add_bytes(&bytes.freed_kernel_bytes, (uint64_t)process->threads * STACK_BYTES);
		run->tables_unknown += !process->page_table_known;
		run->threads_unknown += !process->threads;
		run->out->kernel_known |= process->page_table_known || process->threads;
		whatif_add(run, &whose, &bytes);
	}
	if (!run->kill || !run->out->process_count)
		run->out->kernel_known = true; /* there is none */
}

static bool machine_bytes(const struct whatif_run *run, const char *key, uint64_t *ret_bytes)
{
	return memoir_snapshot_meminfo(run->s, key, ret_bytes) == 0;
}

/* By the mean ratio, as nobody tells which pages are where; swap that is not in zram takes no RAM. */
static void estimate_zram(struct whatif_run *run)
{
	uint64_t orig, used, total, swap_free = 0, freed = run->out->bytes.freed_swap_bytes;

	run->out->swap_free_known = machine_bytes(run, "SwapFree", &swap_free);
	run->out->swap_free_bytes = swap_free;
	if (!run->kill || !machine_bytes(run, "zram_orig_bytes", &orig) ||
	    !machine_bytes(run, "zram_used_bytes", &used))
		return;
	if (run->out->swap_free_known && machine_bytes(run, "SwapTotal", &total) &&
	    total > swap_free && orig < total - swap_free)
		orig = total - swap_free;
	run->out->zram_known = orig || !freed;
	if (orig)
		run->out->freed_zram_estimate_bytes =
			(uint64_t)((double)freed / (double)orig * (double)used);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int add_memory(struct whatif_run *run)
{
	int err;

	run->rest = sets_rest_of_regions(run->s);
	err = run->rest ? label_regions(run) : -ENOMEM;
	if (!err)
		err = whatif_judge_objects(run);
	if (!err)
		err = whatif_make_rows(run);
	if (err)
		return err;
	add_regions(run);
	err = add_sets(run);
	if (err)
		return err;
	add_kept_folios(run);
	whatif_add_rest_of_objects(run);
	add_kernel_memory(run);
	estimate_zram(run);
	err = whatif_find_keepers(run);
	return err ? err : whatif_finish_rows(run);
}

static bool nothing_was_read(const struct whatif_run *run)
{
	return run->meant && run->unreadable == run->meant;
}

static int answer(struct whatif_run *run)
{
	int err = find_meant(run);

	run->out->known = sharing_is_known(run->s) && !nothing_was_read(run);
	if (!err && run->out->known)
		err = add_memory(run);
	return err ? err : whatif_write_notes(run);
}

static void free_run(struct whatif_run *run)
{
	free(run->processes);
	free(run->regions);
	free(run->rest);
	free(run->region_labels);
	free(run->sets);
	free(run->objects);
	free(run->by_process);
	free(run->by_label);
	free(run->by_object);
	labels_free(&run->labels);
}

int memoir_whatif(const struct memoir_snapshot *snapshot, enum memoir_whatif_action action,
		  const struct memoir_selection *selection, struct memoir_whatif *ret_whatif)
{
	struct memoir_whatif out = { .action = action };
	struct whatif_run run = {
		.s = snapshot,
		.selection = selection,
		.out = &out,
		.kill = action == MEMOIR_WHATIF_KILL,
	};
	int err = answer(&run);

	free_run(&run);
	if (err)
		memoir_whatif_free(&out);
	else
		*ret_whatif = out;
	return err;
}

void memoir_whatif_free(struct memoir_whatif *whatif)
{
	if (!whatif)
		return;
	for (size_t i = 0; i < whatif->note_count; i++)
		free(whatif->notes[i]);
	free(whatif->notes);
	free(whatif->pids);
	free(whatif->rows);
	free(whatif->keepers);
	*whatif = (struct memoir_whatif){ 0 };
}
