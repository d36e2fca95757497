// SPDX-License-Identifier: MIT
/*
 * Who keeps what stays: from the sets that those who are meant share with others, and from the
 * mappings and fds that others have of their objects.
 */
#include "analysis/whatif.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/sets.h"
#include "base/grow.h"

static const char *const keeps_names[MEMOIR_KEEPS] = {
	[MEMOIR_KEEPS_PEER] = "peer",       [MEMOIR_KEEPS_MAPS] = "maps",
	[MEMOIR_KEEPS_HOLDS] = "holds",     [MEMOIR_KEEPS_LINK] = "link",
	[MEMOIR_KEEPS_SEGMENT] = "segment",
};

const char *memoir_keeps_name(enum memoir_keeps keeps)
{
	return (unsigned int)keeps < MEMOIR_KEEPS ? keeps_names[keeps] : NULL;
}

struct kept {
	uint64_t bytes;
	uint64_t swap_bytes;
};

/* What each process keeps, by how. */
struct keepers {
	struct whatif_run *run;
	uint64_t *of_sets; /* what stays in a set, or in one below it */
	uint64_t *swap_of_sets;
	struct kept *maps;
	struct kept *holds;
	struct kept link, segment;
	struct u64map seen; /* objects with the processes that are known to keep them */
};

pid_t whatif_keeper_pid(const struct whatif_run *run, uint32_t process)
{
	const struct memoir_process *p = &run->s->processes[process];

	for (uint32_t i = 0; i < p->peer_count && run->processes[process] == MEANT_IN_PART; i++)
		if (!meant_pid(run->selection, p, p->peers[i]))
			return p->peers[i];
	return p->pid;
}

bool whatif_keeps(const struct whatif_run *run, uint32_t process)
{
	return !run->kill || run->processes[process] != MEANT_WHOLE;
}

static void add_kept(struct kept *sum, const struct memoir_whatif_bytes *bytes)
{
	add_bytes(&sum->bytes, bytes->kept_bytes);
	add_bytes(&sum->swap_bytes, bytes->kept_swap_bytes);
}

/* ---- by sets -------------------------------------------------------------------------------- */

static bool stays(const struct whatif_run *run, uint32_t i)
{
	const struct memoir_set *set = &run->s->sets[i];
	uint32_t object = snapshot_regions(run->s)[set->region].object;

	if (!run->sets[i].any || (run->sets[i].all && (run->kill || set->members == 1)))
		return false;
	/* Of objects that stay as a whole, all who have them are keepers: see by_object(). */
	return !set->of_object ||
	       (object != MEMOIR_NONE && run->objects[object].verdict != VERDICT_KEPT);
}

static void visit_set(uint32_t set, uint32_t process, bool first, void *arg)
{
	struct keepers *k = arg;

	if (!first || !whatif_keeps(k->run, process))
		return;
	add_bytes(&k->maps[process].bytes, k->of_sets[set]);
	add_bytes(&k->maps[process].swap_bytes, k->swap_of_sets[set]);
}

static int by_set(struct keepers *k)
{
	const struct memoir_snapshot *s = k->run->s;

	for (uint32_t i = 0; i < s->set_count; i++) {
		const struct memoir_set *set = &s->sets[i];

		if (!stays(k->run, i))
			continue;
		k->of_sets[i] = k->run->kill && set->freed_bytes > set->ram_bytes ? set->freed_bytes
										  : set->ram_bytes;
		k->swap_of_sets[i] = k->run->kill ? set->swap_bytes : 0;
	}
	sets_add_up(s, k->of_sets);
	sets_add_up(s, k->swap_of_sets);
	return sets_walk(s, visit_set, k);
}

/* ---- by regions and objects ----------------------------------------------------------------- */

static void note_keeper(struct whatif_object *object, pid_t pid)
{
	if (object->kept_by_count < MEMOIR_WHATIF_KEEPERS)
		object->kept_by[object->kept_by_count++] = pid;
	else
		object->kept_by_more = true;
}

/* `process` has an object that stays: count it once for each of them. */
static int by_object(struct keepers *k, uint32_t object, uint32_t process, struct kept *sums)
{
	const struct memoir_whatif_bytes *bytes = &k->run->by_object[object];
	struct whatif_object *kept = &k->run->objects[object];
	uint64_t key = (uint64_t)object << 32 | process;

	if (!kept->touched || kept->verdict != VERDICT_KEPT || !whatif_keeps(k->run, process) ||
	    u64map_get(&k->seen, key) != U64MAP_NONE)
		return 0;
	add_kept(&sums[process], bytes);
	note_keeper(kept, whatif_keeper_pid(k->run, process));
	return u64map_set(&k->seen, key, 0);
}

/* Who has a udmabuf has what it is made of, too. */
static int by_object_and_backing(struct keepers *k, uint32_t object, uint32_t process,
				 struct kept *sums)
{
	const struct memoir_object *o = &k->run->s->objects[object];
	int err = by_object(k, object, process, sums);

	return !err && o->is_backed ? by_object(k, o->backing, process, sums) : err;
}

/* What nobody else maps, of an address space that stays because a peer has it. */
static void by_peer(struct keepers *k, uint32_t i)
{
	const struct memoir_region *region = &snapshot_regions(k->run->s)[i];

	if (k->run->regions[i] != MEANT_IN_PART)
		return;
	add_bytes(&k->maps[region->process].bytes, region->own_anon_bytes);
	add_bytes(&k->maps[region->process].swap_bytes, region->own_swap_bytes);
	if (region->object != MEMOIR_NONE &&
	    k->run->objects[region->object].verdict != VERDICT_KEPT)
		add_bytes(&k->maps[region->process].bytes, k->run->rest[i]);
}

static int by_region(struct keepers *k)
{
	const struct memoir_snapshot *s = k->run->s;
	int err = 0;

	for (uint32_t i = 0; i < s->region_count && !err; i++) {
		by_peer(k, i);
		if (snapshot_regions(s)[i].object != MEMOIR_NONE)
			err = by_object_and_backing(k, snapshot_regions(s)[i].object,
						    snapshot_regions(s)[i].process, k->maps);
	}
	for (size_t i = 0; i < s->holder_count && !err; i++)
		err = by_object_and_backing(k, s->holders[i].object, s->holders[i].process,
					    k->holds);
	return err;
}

/* What stays even if nobody has it. */
static void by_itself(struct keepers *k)
{
	const struct memoir_snapshot *s = k->run->s;

	for (uint32_t i = 0; i < s->object_count; i++) {
		if (k->run->kill && k->run->objects[i].touched &&
		    s->objects[i].fate == MEMOIR_FATE_KEPT)
			add_kept(s->objects[i].kind == MEMOIR_KIND_SYSV ? &k->segment : &k->link,
				 &k->run->by_object[i]);
	}
}

/* ---- the list ------------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int add_keeper(struct whatif_run *run, uint32_t process, enum memoir_keeps keeps,
		      const struct kept *kept)
{
	struct memoir_whatif *out = run->out;
	struct memoir_keeper *keepers;

	if (!kept->bytes && !kept->swap_bytes)
		return 0;
	keepers = grow(out->keepers, &run->keeper_room, out->keeper_count + 1, sizeof(*keepers));
	if (!keepers)
		return -ENOMEM;
	out->keepers = keepers;
	keepers[out->keeper_count++] = (struct memoir_keeper){
		.process = process == MEMOIR_NONE ? NULL : &run->s->processes[process],
		.pid = process == MEMOIR_NONE ? 0 : whatif_keeper_pid(run, process),
		.keeps = keeps,
		.kept_bytes = least(kept->bytes, out->bytes.kept_bytes),
		.kept_swap_bytes = kept->swap_bytes,
	};
	return 0;
}

static int compare_keepers(const void *left, const void *right)
{
	const struct memoir_keeper *a = left, *b = right;

	if (a->kept_bytes != b->kept_bytes)
		return a->kept_bytes > b->kept_bytes ? -1 : 1;
	if (a->kept_swap_bytes != b->kept_swap_bytes)
		return a->kept_swap_bytes > b->kept_swap_bytes ? -1 : 1;
	if (a->pid != b->pid)
		return a->pid > b->pid ? 1 : -1;
	return (int)a->keeps - (int)b->keeps;
}

static int list_keepers(struct keepers *k)
{
	struct whatif_run *run = k->run;
	int err = 0;

	for (uint32_t i = 0; i < run->s->process_count && !err; i++) {
		bool peer = run->processes[i] == MEANT_IN_PART;

		err = add_keeper(run, i, peer ? MEMOIR_KEEPS_PEER : MEMOIR_KEEPS_MAPS, &k->maps[i]);
		if (!err)
			err = add_keeper(run, i, MEMOIR_KEEPS_HOLDS, &k->holds[i]);
	}
	if (!err)
		err = add_keeper(run, MEMOIR_NONE, MEMOIR_KEEPS_LINK, &k->link);
	if (!err)
		err = add_keeper(run, MEMOIR_NONE, MEMOIR_KEEPS_SEGMENT, &k->segment);
	if (run->out->keeper_count)
		qsort(run->out->keepers, run->out->keeper_count, sizeof(*run->out->keepers),
		      compare_keepers);
	return err;
}

int whatif_find_keepers(struct whatif_run *run)
{
	struct keepers k = {
		.run = run,
		.of_sets = calloc(run->s->set_count + 1, sizeof(*k.of_sets)),
		.swap_of_sets = calloc(run->s->set_count + 1, sizeof(*k.swap_of_sets)),
		.maps = calloc(run->s->process_count + 1, sizeof(*k.maps)),
		.holds = calloc(run->s->process_count + 1, sizeof(*k.holds)),
	};
	int err = k.of_sets && k.swap_of_sets && k.maps && k.holds ? 0 : -ENOMEM;

	if (!err && (run->out->bytes.kept_bytes || run->out->bytes.kept_swap_bytes))
		err = by_set(&k);
	if (!err)
		err = by_region(&k);
	if (!err) {
		by_itself(&k);
		err = list_keepers(&k);
	}
	free(k.of_sets);
	free(k.swap_of_sets);
	free(k.maps);
	free(k.holds);
	u64map_free(&k.seen);
	return err;
}
