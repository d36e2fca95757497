// SPDX-License-Identifier: MIT
/*
 * The sample, and the comparison field by field.
 */
#include "snapshot_sample.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_ALL_KNOWN ((1u << MEMOIR_FIGURES) - 1)

static void sample_processes(struct memoir_snapshot *s)
{
	pid_t *peers = malloc(2 * sizeof(*peers));

	if (!peers)
		abort();
	peers[0] = 11;
	peers[1] = 12;
	*snapshot_add_process(s) = (struct memoir_process){
		.pid = 10,
		.ppid = 1,
		.uid = 4294967294u,
		.start_ticks = 123456,
		.comm = snapshot_string(s, "two\nlines"),
		.cgroup = snapshot_string(s, "/user.slice"),
		.peers = peers,
		.peer_count = 2,
		.threads = 4000000000u,
		.region_count = 4,
		.page_table_bytes = 8192,
		.page_table_known = true,
		.sole_anon_bytes = 40960,
		.sole_swap_bytes = 4096,
		.in_scope = true,
		.readable = true,
	};
	*snapshot_add_process(s) = (struct memoir_process){
		.pid = 20,
		.uid = (uid_t)-1,
		.comm = snapshot_string(s, SAMPLE_BAD_UTF8),
		.in_scope = true,
	};
	*snapshot_add_process(s) = (struct memoir_process){
		.pid = 30,
		.comm = snapshot_string(s, ""),
		.first_region = 4,
		.region_count = 1,
		.readable = true,
	};
}

static void sample_objects(struct memoir_snapshot *s)
{
	*snapshot_add_object(s) = (struct memoir_object){
		.kind = MEMOIR_KIND_FILE,
		.dev_major = 0xfe,
		.dev_minor = 1,
		.inode = UINT64_MAX,
		.alias = 2,
		.path = snapshot_string(s, "/lib/\xc3\xa4 (deleted)"),
		.size_bytes = 1 << 20,
		.resident_known = true,
		.fate = MEMOIR_FATE_RECLAIMABLE,
		.links = 1,
	};
	*snapshot_add_object(s) = (struct memoir_object){ .is_family = true, .inode = 7 };
	*snapshot_add_object(s) = (struct memoir_object){
		.kind = MEMOIR_KIND_MEMFD,
		.inode = 9,
		.resident_bytes = 12288,
		.mapped_bytes = 8192,
		.swapped_bytes = 4096,
		.resident_known = true,
		.fate = MEMOIR_FATE_FREED,
		.tag = snapshot_string(s, "camera \x1b[31m" SAMPLE_BAD_UTF8),
		.exporter = snapshot_string(s, "a heap"),
		.elsewhere_bytes = 4096,
		.shared_bytes = 1000,
		.backing = 3,
		.is_backed = true,
	};
	*snapshot_add_object(s) = (struct memoir_object){ .kind = MEMOIR_KIND_SYSV,
							  .swapped_bytes = 8192,
							  .fate = MEMOIR_FATE_KEPT,
							  .links = MEMOIR_NONE };
}

static struct memoir_region *sample_region(struct memoir_snapshot *s, uint32_t process,
					   uint64_t start, uint64_t end)
{
	struct memoir_region *r = snapshot_add_region(s);

	*r = (struct memoir_region){
		.start = start,
		.end = end,
		.perms = "rw-p",
		.kind = MEMOIR_KIND_ANON,
		.exact = true,
		.process = process,
		.object = MEMOIR_NONE,
		.family = MEMOIR_NONE,
		.figures.known = SAMPLE_ALL_KNOWN,
	};
	for (unsigned int i = 0; i < MEMOIR_FIGURES; i++)
		r->figures.bytes[i] = 4096 * (i + 1) + start % 8192;
	return r;
}

static void sample_regions(struct memoir_snapshot *s)
{
	struct memoir_region *r = sample_region(s, 0, 0x1000, 0x3000);

	r->kind = MEMOIR_KIND_FILE;
	r->object = 0;
	r->family = 1;
	r->offset_bytes = UINT64_C(1) << 63;
	r->path = s->objects[0].path;
	r->name_source = MEMOIR_NAME_PATH;
	memcpy(r->perms, "r-xs", 4);
	r = sample_region(s, 0, 0x3000, 0x4000);
	r->family = 1;
	r->name = snapshot_string(s, "pool " SAMPLE_BAD_UTF8);
	r->name_source = MEMOIR_NAME_KERNEL;
	r->own_anon_bytes = 4096;
	r->own_swap_bytes = 20480;
	r->locked = true;
	r->figures.known = 1u << MEMOIR_PSS | 1u << MEMOIR_HUGETLB;
	r->figures.bytes[MEMOIR_RSS] = 0;
	r->exact = false;
	r->inexact_why = snapshot_string(s, "pages were migrating");
	r = sample_region(s, 0, 0x7000, UINT64_C(0x7fffffffe000));
	r->kind = MEMOIR_KIND_HEAP;
	r = sample_region(s, 0, UINT64_C(0xffffffffff600000), UINT64_C(0xffffffffff601000));
	r->kind = MEMOIR_KIND_SPECIAL;
	r->path = snapshot_string(s, "[vsyscall]");
	r = sample_region(s, 2, 0x1000, 0x2000);
	r->figures.bytes[MEMOIR_SWAP] = INT64_MAX;
}

static void sample_sharing(struct memoir_snapshot *s)
{
	static const struct memoir_set sets[] = {
		{ MEMOIR_NONE, 0, 1, false, 4096, 0, 4096 },
		{ 0, 1, 2, false, 0, 0, 0 },
		{ MEMOIR_NONE, 0, 1, true, 8192, 0, 0 },
		{ 1, 4, 3, false, 8192, 16384, 2 << 20 },
		{ 1, 1, 3, false, 4096, 0, 4096 },
		{ 2, 4, 2, true, 4096, 0, 0 },
	};
	static const struct memoir_holder holders[] = {
		{ 2, 0, 3 }, { 2, 0, 4 }, { 0, 1, 0 }, { 3, 1, MEMOIR_NO_FD, 7 }
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		*snapshot_add_set(s) = sets[i];
	for (size_t i = 0; i < sizeof(holders) / sizeof(holders[0]); i++)
		*snapshot_add_holder(s) = holders[i];
	*snapshot_add_in_flight(s) = (struct memoir_in_flight){ UINT64_MAX, 0, 3, 2 };
	*snapshot_add_in_flight(s) = (struct memoir_in_flight){ UINT64_MAX, 1, 4, 2 };
	s->holders_known = true;
	s->sets_known = true;
	s->buffers_known = true;
}

struct memoir_snapshot *sample_snapshot(void)
{
	struct memoir_snapshot *s = snapshot_new();

	if (!s)
		return NULL;
	s->taken_ns = UINT64_C(1700000000123456789);
	s->engine = MEMOIR_ENGINE_SCAN;
	s->vanished = 3;
	s->scope = snapshot_string(s, "comm:two\nlines user:\xff");
	sample_processes(s);
	sample_objects(s);
	sample_regions(s);
	sample_sharing(s);
	snapshot_note(s, "the memory of pid %d could not be read: run as root", 20);
	snapshot_add_meminfo(s, "MemTotal", UINT64_C(24684092) * 1024);
	snapshot_add_meminfo(s, "HugePages_Total", 0);
	snapshot_sum_processes(s);
	return s;
}

static bool same_string(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_figures(const struct memoir_figures *a, const struct memoir_figures *b)
{
	if (a->known != b->known)
		return false;
	for (unsigned int i = 0; i < MEMOIR_FIGURES; i++)
		if ((a->known & (1u << i)) && a->bytes[i] != b->bytes[i])
			return false;
	return true;
}

static bool same_process(const struct memoir_process *a, const struct memoir_process *b)
{
	return a->pid == b->pid && a->ppid == b->ppid && a->uid == b->uid &&
	       a->start_ticks == b->start_ticks && same_string(a->comm, b->comm) &&
	       same_string(a->cgroup, b->cgroup) && a->peer_count == b->peer_count &&
	       (a->peer_count == 0 ||
		memcmp(a->peers, b->peers, a->peer_count * sizeof(*a->peers)) == 0) &&
	       a->threads == b->threads && a->sole_anon_bytes == b->sole_anon_bytes &&
	       a->sole_swap_bytes == b->sole_swap_bytes && a->region_count == b->region_count &&
	       (a->region_count == 0 || a->first_region == b->first_region) &&
	       a->page_table_known == b->page_table_known &&
	       a->page_table_bytes == b->page_table_bytes && a->in_scope == b->in_scope &&
	       a->readable == b->readable && same_figures(&a->figures, &b->figures);
}

static bool same_region(const struct memoir_region *a, const struct memoir_region *b)
{
	return a->start == b->start && a->end == b->end && a->offset_bytes == b->offset_bytes &&
	       strcmp(a->perms, b->perms) == 0 && a->kind == b->kind &&
	       a->name_source == b->name_source && a->exact == b->exact &&
	       a->process == b->process && a->object == b->object && a->family == b->family &&
	       same_string(a->name, b->name) && same_string(a->path, b->path) &&
	       same_string(a->inexact_why, b->inexact_why) && a->locked == b->locked &&
	       a->own_anon_bytes == b->own_anon_bytes && a->own_swap_bytes == b->own_swap_bytes &&
	       same_figures(&a->figures, &b->figures);
}

static bool same_object(const struct memoir_object *a, const struct memoir_object *b)
{
	return a->kind == b->kind && a->is_family == b->is_family && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && a->inode == b->inode && a->alias == b->alias &&
	       same_string(a->path, b->path) && a->size_bytes == b->size_bytes &&
	       a->resident_known == b->resident_known && a->resident_bytes == b->resident_bytes &&
	       a->swapped_bytes == b->swapped_bytes && a->mapped_bytes == b->mapped_bytes &&
	       a->links == b->links && a->fate == b->fate && same_string(a->tag, b->tag) &&
	       same_string(a->exporter, b->exporter) && a->elsewhere_bytes == b->elsewhere_bytes &&
	       a->shared_bytes == b->shared_bytes && a->is_backed == b->is_backed &&
	       a->backing == b->backing;
}

static bool same_set(const struct memoir_set *a, const struct memoir_set *b)
{
	return a->parent == b->parent && a->region == b->region && a->members == b->members &&
	       a->of_object == b->of_object && a->ram_bytes == b->ram_bytes &&
	       a->swap_bytes == b->swap_bytes && a->freed_bytes == b->freed_bytes;
}

static bool same_sharing(const struct memoir_snapshot *a, const struct memoir_snapshot *b)
{
	bool same = a->set_count == b->set_count && a->holder_count == b->holder_count &&
		    a->in_flight_count == b->in_flight_count &&
		    a->holders_known == b->holders_known && a->sets_known == b->sets_known &&
		    a->buffers_known == b->buffers_known;

	for (size_t i = 0; same && i < a->set_count; i++)
		same = same_set(&a->sets[i], &b->sets[i]);
	for (size_t i = 0; same && i < a->holder_count; i++)
		same = a->holders[i].object == b->holders[i].object &&
		       a->holders[i].process == b->holders[i].process &&
		       a->holders[i].fd == b->holders[i].fd &&
		       a->holders[i].announced == b->holders[i].announced;
	for (size_t i = 0; same && i < a->in_flight_count; i++)
		same = a->in_flight[i].socket == b->in_flight[i].socket &&
		       a->in_flight[i].process == b->in_flight[i].process &&
		       a->in_flight[i].fd == b->in_flight[i].fd &&
		       a->in_flight[i].files == b->in_flight[i].files;
	return same;
}

bool same_snapshot(const struct memoir_snapshot *a, const struct memoir_snapshot *b)
{
	bool same = a->taken_ns == b->taken_ns && a->engine == b->engine &&
		    a->partial == b->partial && a->vanished == b->vanished &&
		    same_string(a->scope, b->scope) && a->process_count == b->process_count &&
		    a->region_count == b->region_count && a->object_count == b->object_count &&
		    a->note_count == b->note_count && a->meminfo_count == b->meminfo_count &&
		    same_sharing(a, b);

	for (size_t i = 0; same && i < a->process_count; i++)
		same = same_process(&a->processes[i], &b->processes[i]);
	for (size_t i = 0; same && i < a->region_count; i++)
		same = same_region(&a->regions[i], &b->regions[i]);
	for (size_t i = 0; same && i < a->object_count; i++)
		same = same_object(&a->objects[i], &b->objects[i]);
	for (size_t i = 0; same && i < a->note_count; i++)
		same = same_string(a->notes[i], b->notes[i]);
	for (size_t i = 0; same && i < a->meminfo_count; i++)
		same = same_string(a->meminfo[i].key, b->meminfo[i].key) &&
		       a->meminfo[i].bytes == b->meminfo[i].bytes;
	return same;
}
