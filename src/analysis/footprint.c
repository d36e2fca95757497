// SPDX-License-Identifier: MIT
/*
 * What each process costs: its even share of all it maps, and what it alone would give back. Both are
 * worked out for all processes at once, from the sharing sets.
 */
#include <memoir/analysis.h>

#include <errno.h>
#include <stdlib.h>

#include "analysis/objects.h"
#include "analysis/sets.h"
#include "base/grow.h"
#include "base/u64map.h"
#include "snapshot/model.h"

/* Shares are sums of fractions of bytes. */
#define FRACTION 12
#define SHARES_MAX (UINT64_MAX >> FRACTION)

#define NOBODY MEMOIR_NONE
#define SEVERAL (MEMOIR_NONE - 1)

struct footprints {
	const struct memoir_snapshot *s;
	struct memoir_footprint *all; /* one for each process */
	uint64_t *shares;             /* of each process */
	uint32_t *processes;          /* of each set: how many have it */
	uint64_t *set_shares;         /* of each set: what one process gets of it */
	bool *first;                  /* of each set: its process is not one of the parent's */
	uint32_t *sole_of_object;
	uint64_t *rest; /* sets_rest_of_regions() */
	uint32_t *users_of_object;
	struct use *users; /* of objects some of whose pages nobody maps */
	size_t user_count, user_room;
	struct u64map user_seen;
};

static void free_footprints(struct footprints *f)
{
	free(f->all);
	free(f->shares);
	free(f->processes);
	free(f->set_shares);
	free(f->first);
	free(f->sole_of_object);
	free(f->rest);
	free(f->users_of_object);
	free(f->users);
	u64map_free(&f->user_seen);
}

static int make_room(struct footprints *f)
{
	size_t processes = f->s->process_count + 1, sets = f->s->set_count + 1;
	size_t objects = f->s->object_count + 1;

	f->all = calloc(processes, sizeof(*f->all));
	f->shares = calloc(processes, sizeof(*f->shares));
	f->processes = calloc(sets, sizeof(*f->processes));
	f->set_shares = calloc(sets, sizeof(*f->set_shares));
	f->first = calloc(sets, sizeof(*f->first));
	f->sole_of_object = malloc(objects * sizeof(*f->sole_of_object));
	f->users_of_object = calloc(objects, sizeof(*f->users_of_object));
	f->rest = f->s->sets_known ? sets_rest_of_regions(f->s) : NULL;
	if (!f->all || !f->shares || !f->processes || !f->set_shares || !f->first ||
	    !f->sole_of_object || !f->users_of_object || (f->s->sets_known && !f->rest))
		return -ENOMEM;
	for (size_t i = 0; i < objects; i++)
		f->sole_of_object[i] = NOBODY;
	return 0;
}

static uint64_t share_of(uint64_t bytes, uint32_t processes)
{
	return (bytes < SHARES_MAX ? bytes << FRACTION : UINT64_MAX) / processes;
}

/* ---- what is mapped ------------------------------------------------------------------------- */

static void visit_set(uint32_t set, uint32_t process, bool first, void *arg)
{
	struct footprints *f = arg;
	uint32_t parent = f->s->sets[set].parent;

	(void)process;
	f->first[set] = first;
	f->processes[set] = (parent == MEMOIR_NONE ? 0 : f->processes[parent]) + first;
	f->set_shares[set] = share_of(f->s->sets[set].ram_bytes, f->processes[set]);
}

static int add_sets(struct footprints *f)
{
	int err = sets_walk(f->s, visit_set, f);

	if (err)
		return err;
	/* From here on of the set and all below it: all of them are of the set's process as well. */
	sets_add_up(f->s, f->set_shares);
	for (size_t i = 0; i < f->s->set_count; i++)
		if (f->first[i])
			add_bytes(&f->shares[set_process(f->s, (uint32_t)i)], f->set_shares[i]);
	return 0;
}

static void add_regions(struct footprints *f)
{
	const struct memoir_region *regions = snapshot_regions(f->s);

	for (size_t i = 0; i < f->s->region_count; i++) {
		const struct memoir_region *region = &regions[i];

		add_bytes(&f->shares[region->process], share_of(region->own_anon_bytes, 1));
		add_bytes(&f->shares[region->process], share_of(f->rest[i], 1));
	}
}

/* By mappings, where it is not known which processes share a page. */
static void add_processes(struct footprints *f)
{
	for (size_t i = 0; i < f->s->process_count; i++)
		f->shares[i] = share_of(f->s->processes[i].figures.bytes[MEMOIR_PSS], 1);
}

static int add_mapped(struct footprints *f)
{
	int err = 0;

	for (size_t i = 0; i < f->s->process_count; i++)
		f->all[i].freed_if_killed_bytes = f->s->processes[i].sole_anon_bytes;
	if (!f->s->sets_known) {
		add_processes(f);
		return 0;
	}
	err = add_sets(f);
	if (!err)
		add_regions(f);
	return err;
}

/* ---- objects -------------------------------------------------------------------------------- */

static bool dies_with_its_users(const struct memoir_object *object)
{
	return object->fate == MEMOIR_FATE_FREED && object->kind != MEMOIR_KIND_HUGETLB;
}

/* Whether what nobody maps of it is charged to those that have it. */
static bool is_charged(const struct footprints *f, uint32_t i)
{
	const struct memoir_object *object = &f->s->objects[i];

	return (object->fate == MEMOIR_FATE_FREED || object->fate == MEMOIR_FATE_KEPT) &&
	       object->kind != MEMOIR_KIND_HUGETLB && object_unmapped_bytes(object);
}

static void add_sole(struct footprints *f, uint32_t object, uint32_t process)
{
	uint32_t *sole = &f->sole_of_object[object];

	if (*sole != process)
		*sole = *sole == NOBODY ? process : SEVERAL;
}

static int add_user(struct footprints *f, uint32_t object, uint32_t process)
{
	uint64_t key = (uint64_t)object << 32 | process;
	const struct memoir_object *o = &f->s->objects[object];

	add_sole(f, object, process);
	/* Who has a udmabuf has the pages of what it is made of. */
	if (o->is_backed)
		add_sole(f, o->backing, process);
	if (!is_charged(f, object) || u64map_get(&f->user_seen, key) != U64MAP_NONE)
		return 0;
	struct use *users = grow(f->users, &f->user_room, f->user_count + 1, sizeof(*users));

	if (!users)
		return -ENOMEM;
	f->users = users;
	users[f->user_count++] = (struct use){ object, process };
	f->users_of_object[object]++;
	return u64map_set(&f->user_seen, key, 0);
}

static int list_mappers(struct footprints *f)
{
	const struct memoir_snapshot *s = f->s;
	const struct use *uses = s->captured.uses;
	int err = 0;

	for (size_t i = 0; uses && i < s->captured.use_count && !err; i++)
		err = add_user(f, uses[i].object, uses[i].process);
	for (size_t i = 0; !uses && i < snapshot_mapping_count(s) && !err; i++) {
		const struct mapping mapping = snapshot_mapping(s, i);

		if (mapping.object != MEMOIR_NONE)
			err = add_user(f, mapping.object, mapping.process);
	}
	return err;
}

static int list_users(struct footprints *f)
{
	const struct memoir_snapshot *s = f->s;
	int err = list_mappers(f);

	for (size_t i = 0; i < s->holder_count && !err; i++)
		err = add_user(f, s->holders[i].object, s->holders[i].process);
	return err;
}

static void charge_users(struct footprints *f)
{
	for (size_t i = 0; i < f->user_count; i++) {
		const struct use *user = &f->users[i];
		const struct memoir_object *object = &f->s->objects[user->object];
		uint64_t unmapped_bytes = object_unmapped_bytes(object);

		add_bytes(&f->shares[user->process],
			  share_of(unmapped_bytes, f->users_of_object[user->object]));
		f->all[user->process].footprint_known &= f->s->holders_known;
	}
}

static void add_object(struct footprints *f, uint32_t i)
{
	const struct memoir_object *object = &f->s->objects[i];
	struct memoir_footprint *footprint;

	if (f->sole_of_object[i] >= SEVERAL)
		return;
	footprint = &f->all[f->sole_of_object[i]];
	/* A driver may not have allocated all of a buffer yet. */
	if (object_hides_residency(object))
		footprint->freed_if_killed_known = false;
	if (object->fate == MEMOIR_FATE_UNKNOWN && object->mapped_bytes)
		footprint->freed_if_killed_known = false;
	if (!dies_with_its_users(object))
		return;
	if (!f->s->holders_known && object_may_be_open(object))
		footprint->freed_if_killed_known = false;
	add_bytes(&footprint->freed_if_killed_bytes,
		  object->resident_known ? object_own_bytes(object) : object->mapped_bytes);
}

static int add_objects(struct footprints *f)
{
	int err = list_users(f);

	if (err)
		return err;
	for (uint32_t i = 0; i < f->s->object_count; i++)
		add_object(f, i);
	charge_users(f);
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void settle_known(struct footprints *f)
{
	/* smaps counts memoir itself, and does not tell what is whose alone in a family. */
	bool sharing_known = f->s->engine != MEMOIR_ENGINE_SMAPS;

	for (size_t i = 0; i < f->s->process_count; i++) {
		bool known = sharing_known && f->s->processes[i].figures.known & (1u << MEMOIR_USS);

		f->all[i].footprint_known = f->all[i].freed_if_killed_known = known;
	}
}

static void round_shares(struct footprints *f)
{
	for (size_t i = 0; i < f->s->process_count; i++)
		f->all[i].footprint_bytes = f->shares[i] >> FRACTION;
}

int memoir_footprints(const struct memoir_snapshot *snapshot,
		      struct memoir_footprint **ret_footprints)
{
	struct footprints f = { .s = snapshot };
	int err = make_room(&f);

	if (!err) {
		settle_known(&f);
		err = add_mapped(&f);
	}
	if (!err)
		err = add_objects(&f);
	if (!err) {
		round_shares(&f);
		*ret_footprints = f.all;
		f.all = NULL;
	}
	free_footprints(&f);
	return err;
}
