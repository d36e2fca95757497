// SPDX-License-Identifier: MIT
/*
 * What a region is, as far as the kernel itself tells; guesses from contents have no place here.
 */
#include <string.h>
#include <sys/stat.h>

#include "buffers/buffer.h"
#include "kernel/magic.h"
#include "snapshot/capture.h"

static bool starts(const char *path, const char *with)
{
	return path && strncmp(path, with, strlen(with)) == 0;
}

static const uint8_t buffer_kinds[BUFFER_KINDS] = {
	[BUFFER_HUGETLB] = MEMOIR_KIND_HUGETLB,   [BUFFER_DMABUF] = MEMOIR_KIND_DMABUF,
	[BUFFER_DRM] = MEMOIR_KIND_DRM,           [BUFFER_MEMFD] = MEMOIR_KIND_MEMFD,
	[BUFFER_SYSV] = MEMOIR_KIND_SYSV,         [BUFFER_SHARED_ANON] = MEMOIR_KIND_SHARED_ANON,
	[BUFFER_SHMEM] = MEMOIR_KIND_SHMEM,       [BUFFER_SECRETMEM] = MEMOIR_KIND_SECRETMEM,
	[BUFFER_IO_URING] = MEMOIR_KIND_IO_URING, [BUFFER_GUEST_MEMFD] = MEMOIR_KIND_GUEST_MEMFD,
};

enum memoir_kind capture_buffer_kind(const struct buffer_class *class)
{
	return buffer_kinds[class->kind];
}

const struct buffer_class *capture_class_of_kind(enum memoir_kind kind)
{
	for (unsigned int i = 0; i < BUFFER_KINDS; i++)
		if (buffer_kinds[i] == kind)
			return buffer_class_of_kind(i);
	return NULL;
}

/* On the kernel's own mount a file's name can't be chosen freely: there its beginning tells. */
void capture_place(const struct capture *c, uint32_t dev, struct buffer_clues *clues)
{
	clues->on_shmem = clues->magic == TMPFS_MAGIC ||
			  (!clues->magic && internal_devs_is_shmem(&c->devs, dev));
	clues->on_own_shmem = clues->on_shmem && !(c->devs.shmem && dev != c->devs.shmem);
}

enum memoir_kind capture_file_kind(const struct capture *c, const char *path,
				   const struct region_facts *facts)
{
	struct buffer_clues clues = {
		.path = path,
		.magic = facts->magic,
		.mode = facts->mode,
		.hugetlb = facts->hugetlb,
	};

	capture_place(c, facts->dev, &clues);
	const struct buffer_class *class = buffer_class_of(&clues);

	if (class)
		return capture_buffer_kind(class);
	if (S_ISCHR(facts->mode) || S_ISBLK(facts->mode))
		return MEMOIR_KIND_DEVICE;
	if (!facts->mode && starts(path, "/dev/"))
		return MEMOIR_KIND_DEVICE;
	/* BPF maps, perf buffers: inodes without a file system of their own. */
	if (starts(path, "anon_inode:"))
		return MEMOIR_KIND_DEVICE;
	return MEMOIR_KIND_FILE;
}

static bool is_heap(const struct region *region, const struct region_facts *facts)
{
	return region->start < facts->brk_end && region->end > facts->brk_start;
}

static bool is_stack(const struct region *region, const struct region_facts *facts)
{
	return region->start <= facts->start_stack && region->end >= facts->start_stack;
}

/* The kernel's own order (get_vma_name): its special mappings, heap, stack, then names. */
static enum memoir_kind anon_kind(struct capture *c, struct region *region,
				  const struct region_facts *facts)
{
	if (starts(region->path, "[vdso") || starts(region->path, "[vvar"))
		return MEMOIR_KIND_VDSO;
	if (facts->brk_end && is_heap(region, facts))
		region->path = snapshot_string(c->snap, "[heap]");
	else if (facts->start_stack && is_stack(region, facts))
		region->path = snapshot_string(c->snap, "[stack]");
	if (!region->path)
		return MEMOIR_KIND_ANON;
	if (strcmp(region->path, "[heap]") == 0)
		return MEMOIR_KIND_HEAP;
	if (strcmp(region->path, "[stack]") == 0)
		return MEMOIR_KIND_STACK;
	return MEMOIR_KIND_SPECIAL;
}

/* As above, of a path that is kept, or none. Where the file system is not known, what is known of mounts may change. */
static enum memoir_kind known_file_kind(struct capture *c, const char *path,
					const struct region_facts *facts)
{
	struct known_kind *known = &c->known_kinds[(uintptr_t)path / 16 % KNOWN_KINDS];

	if (!facts->magic)
		return capture_file_kind(c, path, facts);
	if (known->path != path || known->dev != facts->dev || known->magic != facts->magic ||
	    known->mode != facts->mode || known->hugetlb != facts->hugetlb)
		*known = (struct known_kind){
			.path = path,
			.dev = facts->dev,
			.magic = facts->magic,
			.mode = facts->mode,
			.hugetlb = facts->hugetlb,
			.kind = (uint8_t)capture_file_kind(c, path, facts),
		};
	return known->kind;
}

void capture_classify(struct capture *c, struct region *region, const struct region_facts *facts)
{
	region->kind = facts->has_file ? known_file_kind(c, region->path, facts)
				       : anon_kind(c, region, facts);
	if (region->name) {
		region->name_source = MEMOIR_NAME_KERNEL;
		/* maps shows the name in the path's place. */
		if (facts->has_file)
			region->path = NULL;
	}
	c->notes[region->process].anchors += capture_is_anchor(c, region);
}
