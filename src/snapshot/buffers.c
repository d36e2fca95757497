// SPDX-License-Identifier: MIT
/*
 * Shared buffers into the snapshot: what classes (src/buffers/) make of open files becomes objects.
 * Knows no class but DRM clients, which are several objects.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/grow.h"
#include "kernel/dmabufs.h"
#include "kernel/fdinfo.h"
#include "kernel/magic.h"
#include "snapshot/capture.h"

bool capture_wants_buffers(const struct capture *c)
{
	return c->options.buffers;
}

/* ---- one open file -------------------------------------------------------------------------- */

struct lines {
	const struct buffer_class *class;
	struct buffer_facts *facts;
	uint64_t inode;
	bool stale; /* the fd is another file's by now */
};

static void take_line(const char *key, const char *value, void *arg)
{
	struct lines *lines = arg;

	/* Linux 5.14 on. */
	if (strcmp(key, "ino") == 0)
		lines->stale |= strtoull(value, NULL, 10) != lines->inode;
	else if (!lines->stale)
		lines->class->line(lines->facts, key, value);
}

const struct buffer_class *capture_read_buffer(struct capture *c, const struct open_file *file,
					       bool read, struct buffer_facts *ret_facts)
{
	struct buffer_clues clues = {
		.path = file->path && *file->path ? file->path : NULL,
		.magic = file->magic,
		.mode = file->mode,
		.rdev = file->rdev,
		.exporter = file->exporter,
		.size_bytes = file->size_bytes,
		.backing = file->backing,
		.backing_known = file->backing_known,
	};

	capture_place(c, file->dev, &clues);
	const struct buffer_class *class = buffer_class_of(&clues);

	if (!class)
		return NULL;
	buffer_begin(class, &clues, ret_facts);
	if (read && buffer_wants_fdinfo(class, &clues)) {
		struct lines lines = { class, ret_facts, .inode = file->inode };

		/* It may be closed by now: then this much is known. */
		(void)fdinfo_each(c->memoir->root, file->pid, file->tid, file->fd, take_line,
				  &lines);
	}
	return buffer_settle(class, &clues, ret_facts);
}

static const char *string_or_null(struct capture *c, const char *text)
{
	return *text ? snapshot_string(c->snap, text) : NULL;
}

static int note_backing(struct capture *c, uint32_t object, uint64_t mapping)
{
	uint64_t *keys =
		grow(c->backing_keys, &c->backing_room, c->backing_count + 1, sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	c->backing_keys = keys;
	keys[c->backing_count] = mapping;
	return u64map_set(&c->backing, object, (uint32_t)c->backing_count++);
}

void capture_describe(struct capture *c, uint32_t object, const struct open_file *file,
		      const struct buffer_facts *facts)
{
	struct memoir_object *o = &c->snap->objects[object];

	if (!o->tag)
		o->tag = string_or_null(c, facts->tag);
	if (facts->exporter[0])
		o->exporter = snapshot_string(c->snap, facts->exporter);
	if (facts->size_bytes)
		o->size_bytes = facts->size_bytes;
	if (facts->resident_known) {
		o->resident_bytes = facts->resident_bytes;
		o->elsewhere_bytes = facts->elsewhere_bytes;
		o->resident_known = true;
	}
	if (file->backing && u64map_get(&c->backing, object) == U64MAP_NONE &&
	    note_backing(c, object, file->backing) < 0)
		c->error = -ENOMEM;
}

/* ---- DRM clients ---------------------------------------------------------------------------- */

/* Client ids are good within a device. */
uint64_t capture_client_key(const struct open_file *file, const struct buffer_facts *facts,
			    size_t part)
{
	struct {
		uint64_t device, id, part;
	} parts = { XXH3_64bits(facts->device, strlen(facts->device)), facts->id, part };

	if (!facts->device[0])
		parts.device = file->rdev;
	return XXH3_64bits(&parts, sizeof(parts));
}

static void fill_part(struct capture *c, uint32_t object, const struct buffer_part *part,
		      const struct buffer_facts *facts)
{
	struct memoir_object *o = &c->snap->objects[object];
	uint64_t shared_bytes = part->shared_bytes < part->resident_bytes ? part->shared_bytes
									  : part->resident_bytes;

	o->fate = MEMOIR_FATE_FREED;
	o->tag = snapshot_string(c->snap, part->tag);
	o->exporter = string_or_null(c, facts->exporter);
	o->size_bytes = part->size_bytes;
	o->shared_bytes = part->shared_bytes;
	o->resident_bytes = part->resident_bytes;
	o->resident_known = part->resident_known;
	o->elsewhere_bytes = part->in_ram ? shared_bytes : part->resident_bytes;
}

int capture_drm_client(struct capture *c, const struct open_file *file,
		       const struct buffer_facts *facts, int (*take)(uint32_t object, void *arg),
		       void *arg)
{
	int err = 0;

	/* Without an id two fds of one client would be two of them. */
	for (size_t i = 0; facts->id && i < facts->part_count && !err; i++) {
		uint32_t object =
			capture_object(c, capture_client_key(file, facts, i), MEMOIR_KIND_DRM,
				       file->rdev >> 20, file->rdev & 0xfffff, facts->id, NULL,
				       facts->parts[i].size_bytes);

		if (object == MEMOIR_NONE)
			return -ENOMEM;
		fill_part(c, object, &facts->parts[i], facts);
		err = take(object, arg);
	}
	return err;
}

/* ---- dma-bufs that no fd leads to ----------------------------------------------------------- */

struct dmabufs {
	struct capture *c;
	struct u64map by_inode; /* inodes of dma-bufs are never used again */
	bool add;               /* also those that are not known yet */
	size_t anonymous;       /* of those known: by whom they were made is not */
};

static uint64_t inode_key(uint32_t dev_major, uint32_t dev_minor, uint64_t inode)
{
	return capture_inode_key(dev_major << 20 | dev_minor, inode);
}

static int find_dmabufs(struct dmabufs *d)
{
	const struct memoir_snapshot *s = d->c->snap;
	int err = 0;

	for (uint32_t i = 0; i < s->object_count && !err; i++) {
		const struct memoir_object *o = &s->objects[i];

		if (o->is_family || o->kind != MEMOIR_KIND_DMABUF)
			continue;
		err = u64map_set(&d->by_inode, inode_key(o->dev_major, o->dev_minor, o->inode), i);
		d->anonymous += !o->exporter;
	}
	return err;
}

static int take_dmabuf(const struct open_file *file, void *arg)
{
	struct dmabufs *d = arg;
	struct capture *c = d->c;
	uint32_t dev_major = file->dev >> 20, dev_minor = file->dev & 0xfffff;
	uint32_t object = u64map_get(&d->by_inode, inode_key(dev_major, dev_minor, file->inode));
	struct buffer_facts facts;

	if (!capture_read_buffer(c, file, false, &facts) || (object == U64MAP_NONE && !d->add))
		return 0;
	if (object == U64MAP_NONE)
		object = capture_object(c, file->mapping, MEMOIR_KIND_DMABUF, dev_major, dev_minor,
					file->inode, NULL, file->size_bytes);
	if (object == MEMOIR_NONE)
		return -ENOMEM;
	c->snap->objects[object].fate = MEMOIR_FATE_FREED;
	capture_describe(c, object, file, &facts);
	return c->error;
}

/* Where that can't be asked, they stay as they are. */
static int describe_dmabufs(struct capture *c, bool all)
{
	struct dmabufs d = { .c = c, .add = all };
	enum memoir_engine engine = c->snap->engine;
	int err = find_dmabufs(&d);

	if (!err && (engine == MEMOIR_ENGINE_TABLES || engine == MEMOIR_ENGINE_SCAN)) {
		int listed = all ? dmabufs_each(c->memoir->root, take_dmabuf, &d) : -EOPNOTSUPP;

		if (listed < 0 && d.anonymous)
			listed = dmabufs_each_mapped(c->memoir->root, take_dmabuf, &d);
		err = listed == -ENOMEM ? listed : 0;
	}
	u64map_free(&d.by_inode);
	return err;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* What a udmabuf is made of is an object if anybody has it. */
static void settle_backing(struct capture *c, uint32_t i)
{
	struct memoir_object *o = &c->snap->objects[i];
	uint32_t at = u64map_get(&c->backing, i);
	uint32_t backing = at == U64MAP_NONE ? U64MAP_NONE
					     : u64map_get(&c->object_by_key, c->backing_keys[at]);

	if (backing == U64MAP_NONE || backing == i)
		return;
	o->backing = backing;
	o->is_backed = true;
}

/* Whether frames say of a dma-buf's pages that they are shared memory, which no counter does. */
static bool looks_like_shmem(const struct memoir_object *o)
{
	const struct buffer_clues clues = { .magic = DMA_BUF_MAGIC, .exporter = o->exporter };

	return buffer_class_of(&clues)->of_shmem;
}

/* For the ledger: what the kernel counts nowhere else. */
static int sum_dmabufs(struct capture *c)
{
	uint64_t bytes = 0, shmem_bytes = 0;
	bool any = false;
	int err;

	for (size_t i = 0; i < c->snap->object_count; i++) {
		const struct memoir_object *o = &c->snap->objects[i];

		if (o->is_family || o->kind != MEMOIR_KIND_DMABUF || !o->resident_known)
			continue;
		any = true;
		uint64_t own_bytes = o->resident_bytes - o->elsewhere_bytes;

		bytes += own_bytes;
		shmem_bytes += looks_like_shmem(o) ? own_bytes : 0;
	}
	if (!any || c->options.wants)
		return 0;
	err = snapshot_add_meminfo(c->snap, "dmabuf_bytes", bytes);
	return err ? err : snapshot_add_meminfo(c->snap, "dmabuf_shmem_bytes", shmem_bytes);
}

int capture_finish_buffers(struct capture *c)
{
	bool wanted = capture_wants_buffers(c);
	bool whole = wanted && !c->options.wants;
	int err = describe_dmabufs(c, whole);

	if (err)
		return err;
	for (uint32_t i = 0; i < c->snap->object_count; i++)
		if (!c->snap->objects[i].is_family)
			settle_backing(c, i);
	err = capture_tags(c);
	if (err)
		return err;
	c->snap->buffers_known = wanted;
	if (whole && c->snap->holders_known)
		err = capture_hidden(c);
	return err ? err : sum_dmabufs(c);
}
