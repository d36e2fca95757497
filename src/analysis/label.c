// SPDX-License-Identifier: MIT
/*
 * What a region goes by when memory is summed by name; sums nothing.
 */
#include "analysis/label.h"

#include <stdlib.h>
#include <string.h>

#include <memoir/analysis.h>

#include "base/grow.h"

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
	[MEMOIR_KIND_DRM] = "[drm]",
	[MEMOIR_KIND_GUEST_MEMFD] = "[guest-memfd]",
	[MEMOIR_KIND_SECRETMEM] = "[secretmem]",
	[MEMOIR_KIND_VDSO] = "[vdso]",
	[MEMOIR_KIND_SPECIAL] = "[special]",
	[MEMOIR_KIND_GUARD] = "[guard]",
	[MEMOIR_KIND_THREAD_STACK] = "[thread-stack]",
	[MEMOIR_KIND_GLIBC_ARENA] = "[arena:glibc]",
	[MEMOIR_KIND_PYTHON_ARENA] = "[arena:python]",
	[MEMOIR_KIND_JAVA_HEAP] = "[heap:java]",
	[MEMOIR_KIND_JAVA_METASPACE] = "[metaspace:java]",
	[MEMOIR_KIND_JAVA_CODE] = "[code:java]",
	[MEMOIR_KIND_V8_HEAP] = "[heap:v8]",
	[MEMOIR_KIND_GO_HEAP] = "[heap:go]",
	[MEMOIR_KIND_JEMALLOC] = "[heap:jemalloc]",
	[MEMOIR_KIND_MIMALLOC] = "[heap:mimalloc]",
	[MEMOIR_KIND_MUSL_HEAP] = "[heap:musl]",
	[MEMOIR_KIND_JIT] = "[jit]",
	[MEMOIR_KIND_IO_URING] = "[io-uring]",
	[MEMOIR_KIND_PERF] = "[perf]",
	[MEMOIR_KIND_ANNOUNCED] = "[announced]",
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

static enum memoir_kind valid_kind(unsigned int kind)
{
	return kind < MEMOIR_KINDS ? kind : MEMOIR_KIND_SPECIAL;
}

struct label label_of(const struct memoir_snapshot *snapshot, const struct memoir_region *region)
{
	enum memoir_kind kind = valid_kind(region->kind);
	const char *path = NULL;

	if (region->name)
		return (struct label){ region->name, kind, region->name_source };
	if (named_by_path(kind))
		path = path_of(snapshot, region);
	if (path)
		return (struct label){ path, kind, MEMOIR_NAME_PATH };
	return (struct label){ unnamed[kind], kind, MEMOIR_NAME_NONE };
}

struct label label_of_object(const struct memoir_object *object)
{
	enum memoir_kind kind = valid_kind(object->kind);

	if (named_by_path(kind) && object->path)
		return (struct label){ object->path, kind, MEMOIR_NAME_PATH };
	return (struct label){ unnamed[kind], kind, MEMOIR_NAME_NONE };
}

static uint32_t add_entry(struct labels *labels, const struct label *label, uint64_t id)
{
	struct label_entry *entries =
		grow(labels->entries, &labels->room, labels->count + 1, sizeof(*entries));

	if (!entries)
		return U64MAP_NONE;
	labels->entries = entries;
	entries[labels->count] =
		(struct label_entry){ .label = *label, .id = id, .same_key = U64MAP_NONE };
	return (uint32_t)labels->count++;
}

static bool same_label(const struct label *a, const struct label *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0;
}

static uint32_t index_by_string(struct labels *labels, const struct label *label)
{
	uint64_t id = memoir_name_id(label->name);
	uint64_t key = id + (uint64_t)label->kind * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t first = u64map_get(&labels->by_key, key), at;

	for (at = first; at < labels->count; at = labels->entries[at].same_key)
		if (same_label(&labels->entries[at].label, label))
			return at;
	at = add_entry(labels, label, id);
	if (at == U64MAP_NONE || u64map_set(&labels->by_key, key, at) < 0)
		return U64MAP_NONE;
	labels->entries[at].same_key = first;
	return at;
}

uint32_t labels_index(struct labels *labels, const struct label *label)
{
	uint64_t key = (uint64_t)(uintptr_t)label->name << 8 | label->kind;
	uint32_t at = u64map_get(&labels->by_pointer, key);

	if (at != U64MAP_NONE)
		return at;
	at = index_by_string(labels, label);
	if (at != U64MAP_NONE && u64map_set(&labels->by_pointer, key, at) < 0)
		return U64MAP_NONE;
	return at;
}

void labels_free(struct labels *labels)
{
	u64map_free(&labels->by_pointer);
	u64map_free(&labels->by_key);
	free(labels->entries);
	*labels = (struct labels){ 0 };
}
