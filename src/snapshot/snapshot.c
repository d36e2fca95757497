// SPDX-License-Identifier: MIT
/*
 * The snapshot as data: filling its arrays, the getters of the public header, and the names of
 * kinds, figures and engines; knows nothing of the kernel, of files or of how figures come about.
 */
#include "snapshot/model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const figure_names[MEMOIR_FIGURES] = {
	[MEMOIR_RSS] = "rss_bytes",         [MEMOIR_PSS] = "pss_bytes",
	[MEMOIR_USS] = "uss_bytes",         [MEMOIR_SHARED] = "shared_bytes",
	[MEMOIR_SWAP] = "swap_bytes",       [MEMOIR_SWAP_PSS] = "swap_pss_bytes",
	[MEMOIR_ANON] = "anon_bytes",       [MEMOIR_FILE] = "file_bytes",
	[MEMOIR_SHMEM] = "shmem_bytes",     [MEMOIR_THP] = "thp_bytes",
	[MEMOIR_HUGETLB] = "hugetlb_bytes",
};

static const char *const kind_names[MEMOIR_KINDS] = {
	[MEMOIR_KIND_ANON] = "anon",
	[MEMOIR_KIND_HEAP] = "heap",
	[MEMOIR_KIND_STACK] = "stack",
	[MEMOIR_KIND_FILE] = "file",
	[MEMOIR_KIND_SHMEM] = "shmem",
	[MEMOIR_KIND_MEMFD] = "memfd",
	[MEMOIR_KIND_SHARED_ANON] = "shared-anon",
	[MEMOIR_KIND_SYSV] = "sysv",
	[MEMOIR_KIND_HUGETLB] = "hugetlb",
	[MEMOIR_KIND_DMABUF] = "dmabuf",
	[MEMOIR_KIND_DEVICE] = "device",
	[MEMOIR_KIND_DRM] = "drm",
	[MEMOIR_KIND_GUEST_MEMFD] = "guest-memfd",
	[MEMOIR_KIND_SECRETMEM] = "secretmem",
	[MEMOIR_KIND_VDSO] = "vdso",
	[MEMOIR_KIND_SPECIAL] = "special",
	[MEMOIR_KIND_GUARD] = "guard",
	[MEMOIR_KIND_THREAD_STACK] = "thread-stack",
	[MEMOIR_KIND_GLIBC_ARENA] = "arena:glibc",
	[MEMOIR_KIND_PYTHON_ARENA] = "arena:python",
	[MEMOIR_KIND_JAVA_HEAP] = "heap:java",
	[MEMOIR_KIND_JAVA_METASPACE] = "metaspace:java",
	[MEMOIR_KIND_JAVA_CODE] = "code:java",
	[MEMOIR_KIND_V8_HEAP] = "heap:v8",
	[MEMOIR_KIND_GO_HEAP] = "heap:go",
	[MEMOIR_KIND_JEMALLOC] = "heap:jemalloc",
	[MEMOIR_KIND_MIMALLOC] = "heap:mimalloc",
	[MEMOIR_KIND_MUSL_HEAP] = "heap:musl",
	[MEMOIR_KIND_JIT] = "jit",
	[MEMOIR_KIND_IO_URING] = "io-uring",
	[MEMOIR_KIND_PERF] = "perf",
	[MEMOIR_KIND_ANNOUNCED] = "announced",
};

static const char *const source_names[MEMOIR_NAME_SOURCES] = {
	[MEMOIR_NAME_KERNEL] = "kernel",
	[MEMOIR_NAME_TABLE] = "table",
	[MEMOIR_NAME_SUPERVISOR] = "supervisor",
	[MEMOIR_NAME_PRCTL] = "prctl",
	[MEMOIR_NAME_PATH] = "path",
};

static const char *const fate_names[MEMOIR_FATES] = {
	[MEMOIR_FATE_FREED] = "freed",
	[MEMOIR_FATE_RECLAIMABLE] = "reclaimable",
	[MEMOIR_FATE_KEPT] = "kept",
};

static const char *const engine_names[] = {
	[MEMOIR_ENGINE_AUTO] = "auto",   [MEMOIR_ENGINE_TABLES] = "tables",
	[MEMOIR_ENGINE_SCAN] = "scan",   [MEMOIR_ENGINE_TEXT] = "text",
	[MEMOIR_ENGINE_SMAPS] = "smaps",
};

static const char *name_at(const char *const *names, size_t count, unsigned int i)
{
	return i < count ? names[i] : NULL;
}

const char *memoir_figure_name(enum memoir_figure figure)
{
	return name_at(figure_names, COUNT(figure_names), figure);
}

const char *memoir_kind_name(enum memoir_kind kind)
{
	return name_at(kind_names, COUNT(kind_names), kind);
}

const char *memoir_name_source_name(enum memoir_name_source source)
{
	return name_at(source_names, COUNT(source_names), source);
}

const char *memoir_fate_name(enum memoir_fate fate)
{
	return name_at(fate_names, COUNT(fate_names), fate);
}

const char *memoir_engine_name(enum memoir_engine engine)
{
	return name_at(engine_names, COUNT(engine_names), engine);
}

struct memoir_snapshot *snapshot_new(void)
{
	struct memoir_snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->strings = strpool_new();
	if (!s->strings) {
		free(s);
		return NULL;
	}
	return s;
}

void memoir_snapshot_free(struct memoir_snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->process_count; i++)
		free((void *)snapshot->processes[i].peers);
	free(snapshot->processes);
	free(snapshot->regions);
	captured_free(&snapshot->captured);
	free(snapshot->objects);
	free(snapshot->sets);
	free(snapshot->holders);
	free(snapshot->in_flight);
	free(snapshot->notes);
	free(snapshot->meminfo);
	strpool_free(snapshot->strings);
	free(snapshot);
}

/* One more zeroed element at the end of an array; *array moves. Indices are 32 bits wide. */
static void *append(void **array, size_t *count, size_t *room, size_t size)
{
	void *moved = *count < MEMOIR_NONE ? grow(*array, room, *count + 1, size) : NULL;

	if (!moved)
		return NULL;
	*array = moved;
	return memset((char *)moved + (*count)++ * size, 0, size);
}

struct memoir_process *snapshot_add_process(struct memoir_snapshot *s)
{
	void *array = s->processes;
	struct memoir_process *added =
		append(&array, &s->process_count, &s->process_room, sizeof(*added));

	s->processes = array;
	return added;
}

struct memoir_region *snapshot_add_region(struct memoir_snapshot *s)
{
	void *array = s->regions;
	struct memoir_region *added =
		append(&array, &s->region_count, &s->region_room, sizeof(*added));

	s->regions = array;
	return added;
}

struct memoir_object *snapshot_add_object(struct memoir_snapshot *s)
{
	void *array = s->objects;
	struct memoir_object *added =
		append(&array, &s->object_count, &s->object_room, sizeof(*added));

	s->objects = array;
	return added;
}

struct memoir_set *snapshot_add_set(struct memoir_snapshot *s)
{
	void *array = s->sets;
	struct memoir_set *added = append(&array, &s->set_count, &s->set_room, sizeof(*added));

	s->sets = array;
	return added;
}

struct memoir_holder *snapshot_add_holder(struct memoir_snapshot *s)
{
	void *array = s->holders;
	struct memoir_holder *added =
		append(&array, &s->holder_count, &s->holder_room, sizeof(*added));

	s->holders = array;
	return added;
}

struct memoir_in_flight *snapshot_add_in_flight(struct memoir_snapshot *s)
{
	void *array = s->in_flight;
	struct memoir_in_flight *added =
		append(&array, &s->in_flight_count, &s->in_flight_room, sizeof(*added));

	s->in_flight = array;
	return added;
}

int snapshot_add_meminfo(struct memoir_snapshot *s, const char *key, uint64_t bytes)
{
	const char *kept = snapshot_string(s, key);
	void *array = s->meminfo;

	if (!kept)
		return -ENOMEM;
	struct meminfo_line *line =
		append(&array, &s->meminfo_count, &s->meminfo_room, sizeof(*line));

	s->meminfo = array;
	if (!line)
		return -ENOMEM;
	*line = (struct meminfo_line){ .key = kept, .bytes = bytes };
	return 0;
}

int snapshot_note(struct memoir_snapshot *s, const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	int len = vasprintf(&text, format, args);

	va_end(args);
	if (len < 0)
		return -ENOMEM;
	const char *kept = snapshot_string_n(s, text, (size_t)len);
	void *array = s->notes;
	const char **note = NULL;

	free(text);
	if (kept)
		note = append(&array, &s->note_count, &s->note_room, sizeof(*note));
	s->notes = array;
	s->partial = true;
	if (!note)
		return -ENOMEM;
	*note = kept;
	return 0;
}

const char *snapshot_string(struct memoir_snapshot *s, const char *string)
{
	return string ? snapshot_string_n(s, string, strlen(string)) : NULL;
}

const char *snapshot_string_n(struct memoir_snapshot *s, const char *bytes, size_t len)
{
	return bytes ? strpool_add(s->strings, bytes, len) : NULL;
}

/* A loaded file may hold any numbers: a sum that does not fit stays at the largest there is. */
void snapshot_begin_sums(struct memoir_snapshot *s)
{
	for (size_t i = 0; i < s->process_count; i++) {
		struct memoir_process *p = &s->processes[i];

		p->figures = (struct memoir_figures){ 0 };
		if (p->in_scope && p->readable && p->region_count == 0)
			p->figures.known = (1u << MEMOIR_FIGURES) - 1;
	}
}

void snapshot_sum_processes(struct memoir_snapshot *s)
{
	snapshot_begin_sums(s);
	for (size_t i = 0; i < s->process_count; i++) {
		struct memoir_process *p = &s->processes[i];

		for (uint32_t r = 0; p->in_scope && r < p->region_count; r++)
			figures_add(&p->figures, &s->regions[p->first_region + r].figures);
	}
}

uint64_t memoir_snapshot_taken_ns(const struct memoir_snapshot *snapshot)
{
	return snapshot->taken_ns;
}

enum memoir_engine memoir_snapshot_engine(const struct memoir_snapshot *snapshot)
{
	return snapshot->engine;
}

bool memoir_snapshot_partial(const struct memoir_snapshot *snapshot)
{
	return snapshot->partial;
}

size_t memoir_snapshot_vanished(const struct memoir_snapshot *snapshot)
{
	return snapshot->vanished;
}

const char *memoir_snapshot_scope(const struct memoir_snapshot *snapshot)
{
	return snapshot->scope;
}

size_t memoir_snapshot_note_count(const struct memoir_snapshot *snapshot)
{
	return snapshot->note_count;
}

const char *memoir_snapshot_note(const struct memoir_snapshot *snapshot, size_t i)
{
	return i < snapshot->note_count ? snapshot->notes[i] : NULL;
}

size_t memoir_snapshot_process_count(const struct memoir_snapshot *snapshot)
{
	return snapshot->process_count;
}

const struct memoir_process *memoir_snapshot_process(const struct memoir_snapshot *snapshot,
						     size_t i)
{
	return i < snapshot->process_count ? &snapshot->processes[i] : NULL;
}

size_t memoir_snapshot_region_count(const struct memoir_snapshot *snapshot)
{
	return snapshot->region_count;
}

const struct memoir_region *memoir_snapshot_region(const struct memoir_snapshot *snapshot, size_t i)
{
	return i < snapshot->region_count ? &snapshot_regions(snapshot)[i] : NULL;
}

size_t memoir_snapshot_object_count(const struct memoir_snapshot *snapshot)
{
	return snapshot->object_count;
}

const struct memoir_object *memoir_snapshot_object(const struct memoir_snapshot *snapshot, size_t i)
{
	return i < snapshot->object_count ? &snapshot->objects[i] : NULL;
}

static bool has_peer(const struct memoir_process *process, pid_t pid)
{
	for (uint32_t i = 0; i < process->peer_count; i++)
		if (process->peers[i] == pid)
			return true;
	return false;
}

bool memoir_snapshot_sets_known(const struct memoir_snapshot *snapshot)
{
	return snapshot->sets_known;
}

size_t memoir_snapshot_set_count(const struct memoir_snapshot *snapshot)
{
	return snapshot->set_count;
}

const struct memoir_set *memoir_snapshot_set(const struct memoir_snapshot *snapshot, size_t i)
{
	return i < snapshot->set_count ? &snapshot->sets[i] : NULL;
}

size_t memoir_snapshot_holder_count(const struct memoir_snapshot *snapshot)
{
	return snapshot->holder_count;
}

const struct memoir_holder *memoir_snapshot_holder(const struct memoir_snapshot *snapshot, size_t i)
{
	return i < snapshot->holder_count ? &snapshot->holders[i] : NULL;
}

size_t memoir_snapshot_in_flight_count(const struct memoir_snapshot *snapshot)
{
	return snapshot->in_flight_count;
}

const struct memoir_in_flight *memoir_snapshot_in_flight(const struct memoir_snapshot *snapshot,
							 size_t i)
{
	return i < snapshot->in_flight_count ? &snapshot->in_flight[i] : NULL;
}

bool memoir_snapshot_buffers_known(const struct memoir_snapshot *snapshot)
{
	return snapshot->buffers_known;
}

bool memoir_object_is_buffer(const struct memoir_object *object)
{
	switch (object->is_family ? MEMOIR_KIND_ANON : object->kind) {
	case MEMOIR_KIND_SHMEM:
	case MEMOIR_KIND_MEMFD:
	case MEMOIR_KIND_SHARED_ANON:
	case MEMOIR_KIND_SYSV:
	case MEMOIR_KIND_HUGETLB:
	case MEMOIR_KIND_DMABUF:
	case MEMOIR_KIND_DRM:
	case MEMOIR_KIND_GUEST_MEMFD:
	case MEMOIR_KIND_SECRETMEM:
	case MEMOIR_KIND_IO_URING:
	case MEMOIR_KIND_ANNOUNCED:
		return true;
	default:
		return false;
	}
}

bool memoir_snapshot_holders_known(const struct memoir_snapshot *snapshot)
{
	return snapshot->holders_known;
}

const struct memoir_process *memoir_snapshot_find_pid(const struct memoir_snapshot *snapshot,
						      pid_t pid)
{
	const struct memoir_process *by_peer = NULL;

	for (size_t i = 0; i < snapshot->process_count; i++) {
		const struct memoir_process *p = &snapshot->processes[i];

		if (p->pid == pid)
			return p;
		if (!by_peer && has_peer(p, pid))
			by_peer = p;
	}
	return by_peer;
}

int memoir_snapshot_meminfo(const struct memoir_snapshot *snapshot, const char *key,
			    uint64_t *ret_bytes)
{
	for (size_t i = 0; i < snapshot->meminfo_count; i++)
		if (strcmp(snapshot->meminfo[i].key, key) == 0) {
			*ret_bytes = snapshot->meminfo[i].bytes;
			return 0;
		}
	return -ENODATA;
}
