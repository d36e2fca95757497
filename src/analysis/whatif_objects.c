// SPDX-License-Identifier: MIT
/*
 * What becomes of the objects that those who are meant map or hold: files, shared memory, hugetlb.
 */
#include "analysis/whatif.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/objects.h"
#include "analysis/sets.h"

/* ---- who has them --------------------------------------------------------------------------- */

static void take_region(struct whatif_run *run, uint32_t i)
{
	const struct memoir_region *region = &snapshot_regions(run->s)[i];
	struct whatif_object *object = &run->objects[region->object];
	const struct whose whose = { region->process, run->region_labels[i], region->object };

	object->others |= run->regions[i] != MEANT_WHOLE;
	if (run->regions[i] == MEANT_NOT)
		return;
	object->touched = true;
	whose_add(&object->whose, &whose);
	if (region->figures.known & (1u << MEMOIR_HUGETLB) &&
	    region->figures.bytes[MEMOIR_HUGETLB] > object->hugetlb_bytes)
		object->hugetlb_bytes = region->figures.bytes[MEMOIR_HUGETLB];
}

static int take_holder(struct whatif_run *run, const struct memoir_holder *holder)
{
	struct whatif_object *object = &run->objects[holder->object];
	struct whose whose = { holder->process, object->whose.label, holder->object };

	object->others |= run->processes[holder->process] != MEANT_WHOLE;
	if (run->processes[holder->process] == MEANT_NOT)
		return 0;
	object->touched = true;
	if (whose.label == WHOSE_NOBODY) {
		struct label label = label_of_object(&run->s->objects[holder->object]);

		whose.label = labels_index(&run->labels, &label);
		if (whose.label == U64MAP_NONE)
			return -ENOMEM;
	}
	whose_add(&object->whose, &whose);
	return 0;
}

/* ---- what becomes of them ------------------------------------------------------------------- */

static enum verdict judge(struct whatif_run *run, uint32_t i)
{
	const struct memoir_object *object = &run->s->objects[i];

	if (!run->kill || object->fate == MEMOIR_FATE_RECLAIMABLE)
		return VERDICT_PAGES;
	if (object->fate == MEMOIR_FATE_UNKNOWN)
		return VERDICT_UNKNOWN;
	if (object->fate == MEMOIR_FATE_KEPT || run->objects[i].others)
		return VERDICT_KEPT;
	if (!run->s->holders_known && object_may_be_open(object)) {
		run->holders_unknown++;
		return VERDICT_UNKNOWN;
	}
	run->residency_unknown += !object->resident_known;
	return VERDICT_FREED;
}

static int make_objects(struct whatif_run *run)
{
	size_t count = run->s->object_count + 2;

	run->objects = calloc(count, sizeof(*run->objects));
	for (size_t i = 0; run->objects && i < count; i++)
		run->objects[i].whose = (struct whose){ WHOSE_NOBODY, WHOSE_NOBODY, WHOSE_NOBODY };
	return run->objects ? 0 : -ENOMEM;
}

/* Who has a udmabuf keeps the pages of what it is made of; so does the kernel, if it alone has it. */
static void keep_backings(struct whatif_run *run)
{
	for (uint32_t i = 0; i < run->s->object_count; i++) {
		const struct memoir_object *object = &run->s->objects[i];
		const struct whatif_object *has = &run->objects[i];

		if (object->is_backed && (has->others || !has->touched))
			run->objects[object->backing].others = true;
	}
}

int whatif_judge_objects(struct whatif_run *run)
{
	const struct memoir_snapshot *s = run->s;
	int err = make_objects(run);

	for (uint32_t i = 0; i < s->region_count && !err; i++)
		if (snapshot_regions(s)[i].object != MEMOIR_NONE)
			take_region(run, i);
	for (size_t i = 0; i < s->holder_count && !err; i++)
		err = take_holder(run, &s->holders[i]);
	if (!err)
		keep_backings(run);
	for (uint32_t i = 0; i < s->object_count && !err; i++)
		if (run->objects[i].touched)
			run->objects[i].verdict = judge(run, i);
	return err;
}

/* ---- their pages ---------------------------------------------------------------------------- */

/* Its pages go to swap; others are written to their file, or dropped. */
static bool is_swappable(const struct memoir_object *object)
{
	return object->kind == MEMOIR_KIND_SHMEM || object->kind == MEMOIR_KIND_MEMFD ||
	       object->kind == MEMOIR_KIND_SHARED_ANON || object->kind == MEMOIR_KIND_SYSV;
}

void whatif_settle_pages(const struct whatif_run *run, uint32_t object, bool gone, uint64_t bytes,
			 struct memoir_whatif_bytes *ret_bytes)
{
	switch ((enum verdict)run->objects[object].verdict) {
	case VERDICT_PAGES:
		if (!gone)
			ret_bytes->kept_bytes = bytes;
		else if (!run->kill && is_swappable(&run->s->objects[object]))
			ret_bytes->freed_bytes = bytes;
		else
			ret_bytes->reclaimable_bytes = bytes;
		break;
	case VERDICT_UNKNOWN:
		*(gone ? &ret_bytes->unknown_bytes : &ret_bytes->kept_bytes) = bytes;
		break;
	case VERDICT_FREED:
		ret_bytes->freed_bytes = bytes;
		break;
	case VERDICT_KEPT:
		ret_bytes->kept_bytes = bytes;
		break;
	}
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void add_rest_of_object(struct whatif_run *run, uint32_t i)
{
	const struct memoir_object *object = &run->s->objects[i];
	const struct whatif_object *has = &run->objects[i];
	struct memoir_whatif_bytes bytes = { 0 };
	uint64_t resident = object->resident_known ? object_own_bytes(object) : 0;
	bool hugetlb = object->kind == MEMOIR_KIND_HUGETLB;

	/* What regions have of hugetlb is in none of the sets; private copies are not the object's. */
	if (hugetlb)
		resident = most(resident, has->hugetlb_bytes);
	uint64_t rest = resident > has->seen_bytes ? resident - has->seen_bytes : 0;

	if (has->verdict == VERDICT_FREED) {
		*(hugetlb ? &bytes.freed_hugetlb_bytes : &bytes.freed_bytes) = rest;
		bytes.freed_swap_bytes = object->swapped_bytes;
	} else if (has->verdict == VERDICT_KEPT) {
		bytes.kept_bytes = rest;
		bytes.kept_swap_bytes = object->swapped_bytes;
	} else {
		bytes.unknown_bytes = rest;
	}
	whatif_add(run, &has->whose, &bytes);
}

void whatif_add_rest_of_objects(struct whatif_run *run)
{
	for (uint32_t i = 0; i < run->s->object_count; i++) {
		const struct memoir_object *object = &run->s->objects[i];
		bool whole = object->fate == MEMOIR_FATE_FREED || object->fate == MEMOIR_FATE_KEPT;

		if (run->kill && run->objects[i].touched && whole)
			add_rest_of_object(run, i);
	}
}
