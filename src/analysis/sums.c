// SPDX-License-Identifier: MIT
/*
 * Sums of figures, and figures by name over all processes; a pure function of the snapshot.
 */
#include <memoir/analysis.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "analysis/select.h"
#include "base/grow.h"
#include "base/u64map.h"

void memoir_figures_add(struct memoir_figures *sum, const struct memoir_figures *addend)
{
	/* A loaded snapshot may hold any numbers: what does not fit stays at the largest there is. */
	for (unsigned int i = 0; i < MEMOIR_FIGURES; i++)
		if ((addend->known & (1u << i)) &&
		    __builtin_add_overflow(sum->bytes[i], addend->bytes[i], &sum->bytes[i]))
			sum->bytes[i] = UINT64_MAX;
	sum->known |= addend->known;
}

uint64_t memoir_name_id(const char *name)
{
	return XXH3_64bits(name, strlen(name));
}

/* What a kind is called where nothing else names the region. */
static const char *const unnamed[MEMOIR_KINDS] = {
	[MEMOIR_KIND_ANON] = "[anon]",
	[MEMOIR_KIND_HEAP] = "[heap]",
	[MEMOIR_KIND_STACK] = "[stack]",
	[MEMOIR_KIND_FILE] = "[file]",
	[MEMOIR_KIND_SHMEM] = "[shmem]",
	[MEMOIR_KIND_MEMFD] = "[memfd]",
	[MEMOIR_KIND_SHARED_ANON] = "[shared-anon]",
	[MEMOIR_KIND_SYSV] = "[sysv]",
	[MEMOIR_KIND_HUGETLB] = "[hugetlb]",
	[MEMOIR_KIND_DMABUF] = "[dmabuf]",
	[MEMOIR_KIND_DEVICE] = "[device]",
	[MEMOIR_KIND_VDSO] = "[vdso]",
	[MEMOIR_KIND_SPECIAL] = "[special]",
	[MEMOIR_KIND_GUARD] = "[guard]",
	[MEMOIR_KIND_THREAD_STACK] = "[thread-stack]",
};

struct label {
	const char *name;
	enum memoir_kind kind;
	enum memoir_name_source source;
};

static const char *path_of(const struct memoir_snapshot *snapshot,
			   const struct memoir_region *region)
{
	const struct memoir_object *object = memoir_snapshot_object(snapshot, region->object);

	return object && object->path ? object->path : region->path;
}

/* As the view `names` of a saved snapshot has it (src/store/schema.c). */
static bool named_by_path(enum memoir_kind kind)
{
	return kind == MEMOIR_KIND_FILE || kind == MEMOIR_KIND_SHMEM || kind == MEMOIR_KIND_MEMFD ||
	       kind == MEMOIR_KIND_DEVICE || kind == MEMOIR_KIND_DMABUF;
}

static struct label label_of(const struct memoir_snapshot *snapshot,
			     const struct memoir_region *region)
{
	enum memoir_kind kind = region->kind < MEMOIR_KINDS ? region->kind : MEMOIR_KIND_SPECIAL;
	const char *path = NULL;

	if (region->name)
		return (struct label){ region->name, kind, region->name_source };
	if (named_by_path(kind))
		path = path_of(snapshot, region);
	if (path)
		return (struct label){ path, kind, MEMOIR_NAME_PATH };
	return (struct label){ unnamed[kind], kind, MEMOIR_NAME_NONE };
}

/* A sum being made. */
struct entry {
	struct memoir_name_sum sum;
	uint32_t last_process; /* the process counted last */
	uint32_t same_key;     /* the next entry whose id and kind give the same key */
};

/* Names are mostly interned, so that equal pointers spare hashing the string. */
struct gather {
	struct entry *entries;
	size_t count, room;
	struct u64map by_pointer;
	struct u64map by_key;
};

static uint32_t new_entry(struct gather *gather, const struct label *label, uint64_t id)
{
	struct entry *entries =
		grow(gather->entries, &gather->room, gather->count + 1, sizeof(*entries));

	if (!entries)
		return U64MAP_NONE;
	gather->entries = entries;
	entries[gather->count] = (struct entry){
		.sum = { .name = label->name,
			 .id = id,
			 .kind = label->kind,
			 .source = label->source },
		.last_process = MEMOIR_NONE,
		.same_key = U64MAP_NONE,
	};
	return (uint32_t)gather->count++;
}

static bool same_sum(const struct memoir_name_sum *sum, const struct label *label)
{
	return sum->kind == label->kind && strcmp(sum->name, label->name) == 0;
}

static uint32_t entry_by_string(struct gather *gather, const struct label *label)
{
	uint64_t id = memoir_name_id(label->name);
	uint64_t key = id + (uint64_t)label->kind * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t first = u64map_get(&gather->by_key, key), at;

	for (at = first; at < gather->count; at = gather->entries[at].same_key)
		if (same_sum(&gather->entries[at].sum, label))
			return at;
	at = new_entry(gather, label, id);
	if (at == U64MAP_NONE || u64map_set(&gather->by_key, key, at) < 0)
		return U64MAP_NONE;
	gather->entries[at].same_key = first;
	return at;
}

static uint32_t entry_of(struct gather *gather, const struct label *label)
{
	uint64_t key = (uint64_t)(uintptr_t)label->name << 8 | label->kind;
	uint32_t at = u64map_get(&gather->by_pointer, key);

	if (at != U64MAP_NONE)
		return at;
	at = entry_by_string(gather, label);
	if (at != U64MAP_NONE && u64map_set(&gather->by_pointer, key, at) < 0)
		return U64MAP_NONE;
	return at;
}

static int gather_region(struct gather *gather, const struct memoir_snapshot *snapshot,
			 const struct memoir_region *region)
{
	struct label label = label_of(snapshot, region);
	uint32_t at = entry_of(gather, &label);

	if (at >= gather->count)
		return -ENOMEM;
	struct entry *entry = &gather->entries[at];

	entry->sum.regions++;
	/* Regions of one process stand together. */
	if (entry->last_process != region->process)
		entry->sum.processes++;
	entry->last_process = region->process;
	memoir_figures_add(&entry->sum.figures, &region->figures);
	return 0;
}

static int gather_process(struct gather *gather, const struct memoir_snapshot *snapshot,
			  const struct memoir_selection *selection,
			  const struct memoir_process *process)
{
	if (!process->in_scope || !memoir_selection_matches_process(selection, process))
		return 0;
	for (uint32_t i = 0; i < process->region_count; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(snapshot, (size_t)process->first_region + i);

		if (!region || !selection_matches_region_part(selection, snapshot, region))
			continue;
		int ret = gather_region(gather, snapshot, region);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* By descending pss, unknown ones last; then name and kind, so that the order is always the same. */
static int compare_sums(const void *left, const void *right)
{
	const struct memoir_name_sum *a = left, *b = right;
	bool a_known = a->figures.known & (1u << MEMOIR_PSS);
	bool b_known = b->figures.known & (1u << MEMOIR_PSS);

	if (a_known != b_known)
		return a_known ? -1 : 1;
	if (a_known && a->figures.bytes[MEMOIR_PSS] != b->figures.bytes[MEMOIR_PSS])
		return a->figures.bytes[MEMOIR_PSS] > b->figures.bytes[MEMOIR_PSS] ? -1 : 1;
	int order = strcmp(a->name, b->name);

	return order ? order : (int)a->kind - (int)b->kind;
}

static int hand_out(const struct gather *gather, struct memoir_name_sums *ret_sums)
{
	struct memoir_name_sum *rows = calloc(gather->count + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < gather->count; i++)
		rows[i] = gather->entries[i].sum;
	qsort(rows, gather->count, sizeof(*rows), compare_sums);
	*ret_sums = (struct memoir_name_sums){ .count = gather->count, .rows = rows };
	return 0;
}

int memoir_names_sum(const struct memoir_snapshot *snapshot,
		     const struct memoir_selection *selection, struct memoir_name_sums *ret_sums)
{
	struct gather gather = { 0 };
	size_t processes = memoir_snapshot_process_count(snapshot);
	int ret = 0;

	for (size_t i = 0; i < processes && ret == 0; i++)
		ret = gather_process(&gather, snapshot, selection,
				     memoir_snapshot_process(snapshot, i));
	if (ret == 0)
		ret = hand_out(&gather, ret_sums);
	u64map_free(&gather.by_pointer);
	u64map_free(&gather.by_key);
	free(gather.entries);
	return ret;
}

void memoir_name_sums_free(struct memoir_name_sums *sums)
{
	if (!sums)
		return;
	free(sums->rows);
	*sums = (struct memoir_name_sums){ 0 };
}
