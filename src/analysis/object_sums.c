// SPDX-License-Identifier: MIT
/*
 * Splits the PSS of regions between the objects that they map.
 */
#include "analysis/object_sums.h"

#include <errno.h>
#include <stdlib.h>

/* What each region has of anonymous pages, a shared one divided by its mappings. */
static uint64_t *anon_shares(const struct memoir_snapshot *snapshot)
{
	size_t regions = memoir_snapshot_region_count(snapshot);
	size_t sets = memoir_snapshot_set_count(snapshot);
	uint64_t *shares = calloc(regions + 1, sizeof(*shares));
	uint64_t *below = calloc(sets + 1, sizeof(*below)); /* Σ of a set and those below it */

	if (!shares || !below) {
		free(shares);
		free(below);
		return NULL;
	}
	for (size_t i = 0; i < regions; i++)
		shares[i] = memoir_snapshot_region(snapshot, i)->own_anon_bytes;
	/* Parents stand before their children. */
	for (size_t i = sets; i-- > 0;) {
		const struct memoir_set *set = memoir_snapshot_set(snapshot, i);

		if (set->of_object)
			continue;
		if (set->members)
			below[i] += set->ram_bytes / set->members;
		if (set->region < regions)
			shares[set->region] += below[i];
		if (set->parent < i)
			below[set->parent] += below[i];
	}
	free(below);
	return shares;
}

struct summing {
	const struct memoir_snapshot *snapshot;
	struct object_sum *sums; /* one for each object */
	const struct memoir_process *
		*last; /* that was seen to map it; those of one stand together */
	size_t count;
};

static void add(struct summing *s, uint32_t object, const struct memoir_region *region,
		bool pss_known, uint64_t pss_bytes)
{
	const struct memoir_process *process =
		memoir_snapshot_process(s->snapshot, region->process);
	struct object_sum *sum = object < s->count ? &s->sums[object] : NULL;

	if (!sum || !process || !process->in_scope)
		return;
	if (!sum->object) {
		sum->object = memoir_snapshot_object(s->snapshot, object);
		sum->process = process;
	}
	sum->processes += s->last[object] != process;
	s->last[object] = process;
	sum->regions++;
	sum->pss_bytes += pss_bytes;
	sum->pss_known |= pss_known;
}

/* What of a region's PSS is anonymous: shares are cut to bytes, so that nothing may be left. */
static uint64_t anon_part(const struct memoir_region *region, uint64_t anon_bytes)
{
	const uint64_t *bytes = region->figures.bytes;

	if (anon_bytes > bytes[MEMOIR_PSS] || bytes[MEMOIR_FILE] + bytes[MEMOIR_SHMEM] == 0)
		anon_bytes = bytes[MEMOIR_PSS];
	return anon_bytes;
}

static void add_region(struct summing *s, const struct memoir_region *region, uint64_t anon_bytes)
{
	bool known = region->figures.known & 1u << MEMOIR_PSS;
	uint64_t pss_bytes = known ? region->figures.bytes[MEMOIR_PSS] : 0;

	if (region->object == MEMOIR_NONE) {
		add(s, region->family, region, known, pss_bytes);
		return;
	}
	/* Without a family there is no other object to count them for. */
	anon_bytes = known && region->family != MEMOIR_NONE ? anon_part(region, anon_bytes) : 0;
	add(s, region->object, region, known, pss_bytes - anon_bytes);
	if (anon_bytes)
		add(s, region->family, region, known, anon_bytes);
}

uint64_t *object_pss_of_regions(const struct memoir_snapshot *snapshot)
{
	size_t count = memoir_snapshot_region_count(snapshot);
	uint64_t *shares = anon_shares(snapshot);

	for (size_t i = 0; shares && i < count; i++) {
		const struct memoir_region *region = memoir_snapshot_region(snapshot, i);
		bool known = region->figures.known & 1u << MEMOIR_PSS;

		shares[i] =
			region->object != MEMOIR_NONE && known
				? region->figures.bytes[MEMOIR_PSS] - anon_part(region, shares[i])
				: 0;
	}
	return shares;
}

static int by_pss(const void *a, const void *b)
{
	const struct object_sum *x = a, *y = b;

	if (x->pss_known != y->pss_known)
		return x->pss_known ? -1 : 1;
	if (x->pss_bytes != y->pss_bytes)
		return x->pss_bytes > y->pss_bytes ? -1 : 1;
	return (x->object > y->object) - (x->object < y->object);
}

/* Leave only what some region maps. */
static size_t pack(struct object_sum *sums, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (sums[i].object)
			sums[kept++] = sums[i];
	return kept;
}

static int add_regions(struct summing *s)
{
	size_t regions = memoir_snapshot_region_count(s->snapshot);
	uint64_t *anon_bytes = anon_shares(s->snapshot);

	if (!anon_bytes)
		return -ENOMEM;
	for (size_t i = 0; i < regions; i++)
		add_region(s, memoir_snapshot_region(s->snapshot, i), anon_bytes[i]);
	free(anon_bytes);
	return 0;
}

int object_sums_make(const struct memoir_snapshot *snapshot, struct object_sums *ret_sums)
{
	struct summing s = { .snapshot = snapshot,
			     .count = memoir_snapshot_object_count(snapshot) };
	int err = -ENOMEM;

	s.sums = calloc(s.count + 1, sizeof(*s.sums));
	s.last = calloc(s.count + 1, sizeof(*s.last));
	if (s.sums && s.last)
		err = add_regions(&s);
	free(s.last);
	if (err) {
		free(s.sums);
		return err;
	}
	s.count = pack(s.sums, s.count);
	qsort(s.sums, s.count, sizeof(*s.sums), by_pss);
	*ret_sums = (struct object_sums){ s.count, s.sums };
	return 0;
}

void object_sums_free(struct object_sums *sums)
{
	free(sums->rows);
	*sums = (struct object_sums){ 0 };
}
