// SPDX-License-Identifier: MIT
/*
 * Shared memory that no process shows: all there is, less what is known. Whose it is is not asked here.
 */
#include <errno.h>
#include <string.h>

#include "kernel/meminfo.h"
#include "kernel/tmpfs.h"
#include "snapshot/capture.h"

struct hiding {
	struct capture *c;
	struct u64map used_by_dev; /* tmpfs mounts → index */
	uint32_t devs[64];
	uint64_t unopened_bytes[64]; /* of each: used, less the objects on it */
	uint32_t count;
	uint64_t hidden_bytes;
	bool complete; /* of all shared memory it is known what is in RAM */
};

static void take_mount(uint32_t dev, uint64_t used_bytes, void *arg)
{
	struct hiding *h = arg;

	if (h->count == sizeof(h->devs) / sizeof(h->devs[0]) ||
	    u64map_set(&h->used_by_dev, dev, h->count) < 0) {
		h->complete = false;
		return;
	}
	h->devs[h->count] = dev;
	h->unopened_bytes[h->count++] = used_bytes;
}

static uint64_t less(uint64_t bytes, uint64_t part_bytes)
{
	return bytes > part_bytes ? bytes - part_bytes : 0;
}

static void take_object(struct hiding *h, const struct memoir_object *o)
{
	uint32_t at;

	if (o->is_family || !kind_is_shmem(o->kind))
		return;
	if (!o->resident_known) {
		h->complete = false;
		return;
	}
	h->hidden_bytes = less(h->hidden_bytes, o->resident_bytes);
	at = u64map_get(&h->used_by_dev, o->dev_major << 20 | o->dev_minor);
	if (at != U64MAP_NONE)
		h->unopened_bytes[at] =
			less(h->unopened_bytes[at], o->resident_bytes + o->swapped_bytes);
}

static void take_shmem(const char *key, uint64_t value, void *arg)
{
	struct hiding *h = arg;

	if (strcmp(key, "Shmem") == 0)
		h->hidden_bytes = value;
}

static int put(struct hiding *h)
{
	uint64_t unopened_bytes = 0;
	int err;

	for (uint32_t i = 0; i < h->count; i++)
		unopened_bytes += h->unopened_bytes[i];
	/* Some of it may be in swap. */
	if (unopened_bytes > h->hidden_bytes)
		unopened_bytes = h->hidden_bytes;
	err = snapshot_add_meminfo(h->c->snap, "tmpfs_unopened_bytes", unopened_bytes);
	return err ? err
		   : snapshot_add_meminfo(h->c->snap, "shmem_hidden_bytes",
					  h->hidden_bytes - unopened_bytes);
}

/* Read once more: the first time is before the capture. CPUs hold back a part until asked. */
static int read_shmem(struct hiding *h)
{
	meminfo_settle(h->c->memoir->root);
	return meminfo_read(h->c->memoir->root, take_shmem, h);
}

int capture_hidden(struct capture *c)
{
	struct hiding h = { .c = c, .complete = true };
	int err = read_shmem(&h);

	if (!err)
		err = tmpfs_each(c->memoir->root, take_mount, &h);
	for (size_t i = 0; i < c->snap->object_count && !err; i++)
		take_object(&h, &c->snap->objects[i]);
	u64map_free(&h.used_by_dev);
	if (err == -ENOMEM)
		return err;
	return err || !h.complete ? 0 : put(&h);
}
