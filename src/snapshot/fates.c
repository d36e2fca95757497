// SPDX-License-Identifier: MIT
/*
 * What becomes of each object's pages when nothing maps or holds it any more, and how many there are;
 * knows nothing of who holds it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/magic.h"
#include "kernel/sysv.h"
#include "snapshot/capture.h"

/* SysV segments have no link either way: settle_sysv() asks for them. */
static enum memoir_fate fate_of(enum memoir_kind kind, const struct object_facts *facts)
{
	switch (kind) {
	case MEMOIR_KIND_MEMFD:
	case MEMOIR_KIND_SHARED_ANON:
	case MEMOIR_KIND_DMABUF:
	case MEMOIR_KIND_DRM:
	case MEMOIR_KIND_GUEST_MEMFD:
	case MEMOIR_KIND_SECRETMEM:
	case MEMOIR_KIND_IO_URING:
		return MEMOIR_FATE_FREED;
	case MEMOIR_KIND_SHMEM:
	case MEMOIR_KIND_HUGETLB:
		return facts->nlink ? MEMOIR_FATE_KEPT : MEMOIR_FATE_FREED;
	case MEMOIR_KIND_FILE:
		if (!facts->nlink)
			return MEMOIR_FATE_FREED;
		return facts->magic == RAMFS_MAGIC ? MEMOIR_FATE_KEPT : MEMOIR_FATE_RECLAIMABLE;
	case MEMOIR_KIND_DEVICE:
		return S_ISBLK(facts->mode) ? MEMOIR_FATE_RECLAIMABLE : MEMOIR_FATE_UNKNOWN;
	default:
		return MEMOIR_FATE_UNKNOWN;
	}
}

/* Whether its pages are those of its inode. */
static bool is_in_its_inode(enum memoir_kind kind)
{
	return kind != MEMOIR_KIND_DMABUF && kind != MEMOIR_KIND_IO_URING &&
	       kind != MEMOIR_KIND_DRM;
}

void capture_object_facts(struct capture *c, uint32_t object, const struct object_facts *facts)
{
	struct memoir_object *o;

	if (object == MEMOIR_NONE)
		return;
	o = &c->snap->objects[object];
	o->fate = fate_of(o->kind, facts);
	o->links = facts->nlink;
	if (facts->size_bytes)
		o->size_bytes = facts->size_bytes;
	if (!facts->resident_known || !is_in_its_inode(o->kind))
		return;
	o->resident_bytes = facts->resident_bytes;
	o->swapped_bytes = facts->swapped_bytes;
	o->resident_known = true;
}

/* ---- mapped objects, by text ---------------------------------------------------------------- */

static uint32_t magic_of(const struct capture *c, const struct memoir_object *o)
{
	return internal_devs_magic(&c->devs, o->dev_major << 20 | o->dev_minor);
}

struct files_text capture_files_text(struct capture *c)
{
	uint64_t total = 0, unused = 0;

	memoir_snapshot_meminfo(c->snap, "SwapTotal", &total);
	memoir_snapshot_meminfo(c->snap, "SwapFree", &unused);
	return (struct files_text){
		.root = c->memoir->root,
		.devs = &c->devs,
		.swap_in_use = total != unused,
		.all = capture_wants_buffers(c),
		.queues = &c->queues,
	};
}

static bool lacks_facts(const struct memoir_object *o)
{
	if (o->kind == MEMOIR_KIND_SYSV || o->kind == MEMOIR_KIND_HUGETLB)
		return !o->resident_known;
	if (o->kind == MEMOIR_KIND_DMABUF)
		return !o->size_bytes || o->fate == MEMOIR_FATE_UNKNOWN;
	return o->fate == MEMOIR_FATE_UNKNOWN &&
	       (o->kind == MEMOIR_KIND_FILE || kind_is_shmem(o->kind));
}

static bool ends(const char *path, const char *with)
{
	size_t len = path ? strlen(path) : 0, tail = strlen(with);

	return len >= tail && strcmp(path + len - tail, with) == 0;
}

/*
 * By the path alone: where it lacks the kernel's " (deleted)" there is a link. Where it has that, the
 * file may have other links, or really be called so.
 */
static void judge_by_path(struct capture *c, const struct region *region)
{
	struct memoir_object *o = &c->snap->objects[region->object];
	const struct object_facts linked = { .magic = magic_of(c, o), .nlink = 1 };

	if (o->kind == MEMOIR_KIND_MEMFD || o->kind == MEMOIR_KIND_SHARED_ANON ||
	    !ends(region->path, " (deleted)"))
		o->fate = fate_of(o->kind, &linked);
}

static void ask_text(struct capture *c, const struct files_text *text, const struct region *region)
{
	pid_t pid = c->snap->processes[region->process].pid;
	struct open_file file;
	int err = files_text_mapped(text, pid, region->start, region->end, &file);

	if (err == -EPERM || err == -EACCES)
		judge_by_path(c, region);
	if (err)
		return;
	if (!file.resident_known)
		files_text_count(text, &file);
	capture_object_facts(c, region->object,
			     &(struct object_facts){
				     .magic = file.magic,
				     .mode = file.mode,
				     .nlink = file.nlink,
				     .size_bytes = file.size_bytes,
				     .resident_bytes = file.resident_bytes,
				     .swapped_bytes = file.swapped_bytes,
				     .resident_known = file.resident_known,
			     });
}

#define ASKED_MAX 3 /* a region may be gone: then another one of the object is asked about */

/* Objects are few beside regions. */
static bool any_object(const struct capture *c, bool (*is)(const struct memoir_object *o))
{
	for (size_t i = 0; i < c->snap->object_count; i++)
		if (is(&c->snap->objects[i]))
			return true;
	return false;
}

static int settle_mapped(struct capture *c)
{
	struct files_text text = capture_files_text(c);
	uint8_t *asked;

	if (!any_object(c, lacks_facts))
		return 0;
	asked = calloc(c->snap->object_count + 1, sizeof(*asked));
	if (!asked)
		return -ENOMEM;
	for (size_t i = 0; i < c->snap->captured.count; i++) {
		const struct region *region = capture_region(c, i);

		if (region->object == MEMOIR_NONE || asked[region->object] >= ASKED_MAX ||
		    !lacks_facts(&c->snap->objects[region->object]))
			continue;
		asked[region->object]++;
		ask_text(c, &text, region);
	}
	free(asked);
	return 0;
}

/* ---- System V segments ---------------------------------------------------------------------- */

struct segments {
	struct capture *c;
	struct u64map by_id; /* of those that our IPC namespace has */
};

/* Segments of huge pages lie on hugetlbfs, with the same name. */
static bool is_sysv(const struct memoir_object *o)
{
	return o->kind == MEMOIR_KIND_SYSV ||
	       (o->kind == MEMOIR_KIND_HUGETLB && o->fate != MEMOIR_FATE_KEPT && o->path &&
		strncmp(o->path, "/SYSV", 5) == 0);
}

/* One that is not in the list was removed meanwhile, or is of another IPC namespace. */
static int find_segments(struct segments *s)
{
	struct memoir_snapshot *snap = s->c->snap;
	int err = 0;

	for (size_t i = 0; i < snap->captured.count && !err; i++) {
		const struct region *region = &snap->captured.regions[i];

		if (region->kind != MEMOIR_KIND_SYSV && region->kind != MEMOIR_KIND_HUGETLB)
			continue;
		struct memoir_object *o =
			region->object == MEMOIR_NONE ? NULL : &snap->objects[region->object];

		if (!o || !is_sysv(o) || u64map_get(&s->by_id, o->inode) != U64MAP_NONE)
			continue;
		o->fate = MEMOIR_FATE_UNKNOWN;
		if (!sysv_shows(s->c->memoir->root, snap->processes[region->process].pid))
			continue;
		o->fate = MEMOIR_FATE_FREED;
		err = u64map_set(&s->by_id, o->inode, region->object);
	}
	return err;
}

/* One that no process has attached. Its key must not be that of a file with this inode. */
static uint32_t add_segment(struct segments *s, const struct sysv_segment *segment)
{
	uint32_t dev = s->c->devs.shmem;
	char path[32];

	if (!capture_wants_buffers(s->c) || s->c->options.wants)
		return MEMOIR_NONE;
	snprintf(path, sizeof(path), "/SYSV%08" PRIx32 " (deleted)", (uint32_t)segment->key);
	return capture_object(s->c, ~capture_inode_key(dev, segment->id), MEMOIR_KIND_SYSV,
			      dev >> 20, dev & 0xfffff, segment->id,
			      snapshot_string(s->c->snap, path), segment->size_bytes);
}

static void take_segment(const struct sysv_segment *segment, void *arg)
{
	struct segments *s = arg;
	uint32_t i = u64map_get(&s->by_id, segment->id);

	if (i == U64MAP_NONE)
		i = add_segment(s, segment);
	if (i == MEMOIR_NONE)
		return;
	struct memoir_object *o = &s->c->snap->objects[i];

	o->fate = segment->stays ? MEMOIR_FATE_KEPT : MEMOIR_FATE_FREED;
	if (!o->size_bytes)
		o->size_bytes = segment->size_bytes;
	if (o->resident_known)
		return;
	o->resident_bytes = segment->resident_bytes;
	o->swapped_bytes = segment->swapped_bytes;
	o->resident_known = true;
}

static int settle_sysv(struct capture *c)
{
	struct segments s = { .c = c };
	int err = any_object(c, is_sysv) ? find_segments(&s) : 0;

	if (!err && (s.by_id.used || capture_wants_buffers(c)))
		sysv_each(c->memoir->root, take_segment, &s);
	u64map_free(&s.by_id);
	return err;
}

int capture_fates(struct capture *c)
{
	int err;

	err = settle_mapped(c);
	return err ? err : settle_sysv(c);
}
